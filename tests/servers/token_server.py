"""The server that a registry sends its clients to for tokens, as Docker Hub and Harbor have one."""

import base64
import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Self, cast
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from tests.servers.certificates import self_signed

SERVICE, ISSUER = "tests-registry", "tests-tokens"
REFRESH_TOKEN = "refresh-me"


class TokenServer:
    """Use as a context manager; give its `auth` to `Registry`.

    `users` (name to password) may do all, everybody else may pull what is below `public/`.
    """

    def __init__(self, folder: Path, users: dict[str, str], seconds: int = 300) -> None:
        self.users = users
        self.seconds = seconds
        self.calls: list[str] = []
        key, self._certificate = self_signed(folder, "tokens.example")
        found = serialization.load_pem_private_key(key.read_bytes(), None)
        self._key = cast(ec.EllipticCurvePrivateKey, found)
        self._server = _Server(self)
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), name="tokens")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/token"

    @property
    def auth(self) -> dict[str, object]:
        bundle = {"rootcertbundle": str(self._certificate), "realm": self.url}
        return {"token": bundle | {"service": SERVICE, "issuer": ISSUER}}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def token(self, user: str | None, scope: str) -> str:
        kind, name, actions = scope.split(":") if scope else ("", "", "")
        allowed = actions.split(",") if user else ["pull"] if name.startswith("public/") else []
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": user or "",
            "aud": SERVICE,
            "nbf": now - 10,
            "iat": now,
            "exp": now + self.seconds,
            "jti": str(len(self.calls)),
            "access": [{"type": kind, "name": name, "actions": allowed}] if allowed else [],
        }
        pem = self._certificate.read_text().splitlines()
        header = {"typ": "JWT", "alg": "ES256", "x5c": ["".join(pem[1:-1])]}
        signed = ".".join(_encode(json.dumps(part).encode()) for part in (header, claims))
        der = self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256()))
        raw = b"".join(part.to_bytes(32, "big") for part in utils.decode_dss_signature(der))
        return f"{signed}.{_encode(raw)}"


class _Server(ThreadingHTTPServer):
    def __init__(self, tokens: TokenServer) -> None:
        self.tokens = tokens
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        tokens = cast(_Server, self.server).tokens
        query = parse_qs(urlsplit(self.path).query)
        scope = query.get("scope", [""])[0]
        tokens.calls.append(scope)
        user, _, password = _decode(self.headers.get("Authorization", "")).partition(":")
        if query.get("service") != [SERVICE] or (user and tokens.users.get(user) != password):
            self._answer(401, {"errors": []})
        else:
            body = {"token": tokens.token(user or None, scope), "expires_in": tokens.seconds}
            self._answer(200, body)

    def do_POST(self) -> None:
        tokens = cast(_Server, self.server).tokens
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        tokens.calls.append(form["scope"][0])
        good = (form["grant_type"], form["refresh_token"]) == (["refresh_token"], [REFRESH_TOKEN])
        if good and form["service"] == [SERVICE] and form["client_id"]:
            self._answer(200, {"access_token": tokens.token("oauth2", form["scope"][0])})
        else:
            self._answer(400, {"error": "invalid_grant"})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(header: str) -> str:
    return base64.b64decode(header.removeprefix("Basic ")).decode()
