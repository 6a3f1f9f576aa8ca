"""An OpenID Connect provider over HTTP for people: it checks what a real one checks.

Whoever is sent to it is logged in already, as ``person``.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self, cast
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import jwt

from tests.servers.oidc import key_of, public_jwk

CLIENT, CLIENT_SECRET = "the console", "s3cret of:the client"
GROUPS = {"ops": {"shop": "owner"}, "devs": {"shop": "readonly", "other": "member"}}


class IdentityProvider:
    """Use as a context manager.

    ``person`` are the claims of who is logged in there, ``changes`` what its tokens say instead,
    and ``asked`` the codes that somebody has tried to redeem.
    """

    def __init__(self) -> None:
        self.person: dict[str, Any] = {
            "sub": "ada-1",
            "name": "Ada",
            "email": "Ada@Example.org",
            "email_verified": True,
            "groups": ["ops", "unknown"],
        }
        self.changes: dict[str, Any] = {}
        self.key = "people-1"
        self.signed_with = ""
        self.down = False
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}
        self._server = _Server(self)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), name="provider")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def settings(self, **changes: Any) -> dict[str, Any]:
        """What ``load_settings`` is told of it."""
        known = {"issuer": self.url, "client_id": CLIENT, "client_secret": CLIENT_SECRET}
        grants = {"name": "Acme login", "grants": GROUPS}
        return {"console_oidc": known | grants | changes, "allow_private": ["127.0.0.0/8"]}

    def get(self, path: str, query: Mapping[str, str]) -> tuple[int, Any]:
        if self.down:
            return 503, {}
        if path == "/.well-known/openid-configuration":
            return 200, {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
            }
        if path == "/keys":
            return 200, {"keys": [public_jwk("ES256", self.key)]}
        if path == "/authorize":
            return self._authorize(query)
        return 404, {}

    def redeem(self, form: Mapping[str, str], authorization: str) -> tuple[int, Any]:
        """RFC 6749, section 4.1.3, with PKCE: a code is good once, for who began."""
        self.asked.append(form.get("code", ""))
        asked = self._codes.pop(form.get("code", ""), None)
        kind, _, pair = authorization.partition(" ")
        given = base64.b64decode(pair).decode().partition(":")
        client = (unquote(given[0]), unquote(given[2]))
        if kind != "Basic" or client != (CLIENT, CLIENT_SECRET):
            return 401, {"error": "invalid_client"}
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or form.get("grant_type") != "authorization_code"
            or form.get("redirect_uri") != asked["redirect_uri"]
            or challenge != asked["code_challenge"]
        ):
            return 400, {"error": "invalid_grant"}
        now = int(datetime.now(UTC).timestamp())
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300}
        claims |= {"nonce": asked["nonce"], **self.person, **self.changes}
        signer = key_of("ES256", self.signed_with or self.key)
        token = jwt.encode(claims, signer, "ES256", {"kid": self.key})
        return 200, {"access_token": "unused", "token_type": "Bearer", "id_token": token}

    def _authorize(self, query: Mapping[str, str]) -> tuple[int, Any]:
        right = (
            query.get("response_type") == "code"
            and query.get("client_id") == CLIENT
            and query.get("code_challenge_method") == "S256"
            and "openid" in query.get("scope", "").split()
            and all(query.get(name) for name in ("state", "nonce", "code_challenge"))
        )
        if not right:
            return 400, {"error": "invalid_request"}
        code = secrets.token_urlsafe(16)
        self._codes[code] = dict(query)
        back = {"code": code, "state": query["state"], "iss": self.url}
        return 302, f"{query['redirect_uri']}?{urlencode(back)}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    def __init__(self, provider: IdentityProvider) -> None:
        self.provider = provider
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    @property
    def provider(self) -> IdentityProvider:
        return cast(_Server, self.server).provider

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        self._answer(*self.provider.get(url.path, query))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[-1] for name, values in parse_qs(body).items()}
        self._answer(*self.provider.redeem(form, self.headers.get("Authorization", "")))

    def _answer(self, status: int, content: Any) -> None:
        body = b"" if status == 302 else json.dumps(content).encode()
        self.send_response(status)
        if status == 302:
            self.send_header("Location", content)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass
