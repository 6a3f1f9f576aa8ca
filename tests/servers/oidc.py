"""An OpenID Connect issuer over HTTP: discovery, a key set, tokens, and keys that change."""

import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self, cast

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
LIFETIME = 3600
MAKERS: Mapping[str, Callable[[], Key]] = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "PS256": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


@cache
def key_of(algorithm: str, kid: str) -> Key:
    """The same key for the same name in all tests: to make one takes time."""
    return MAKERS[algorithm]()


def public_jwk(algorithm: str, kid: str) -> dict[str, Any]:
    key = key_of(algorithm, kid).public_key()
    values = json.loads(get_default_algorithms()[algorithm].to_jwk(key))
    return {**values, "kid": kid, "alg": algorithm, "use": "sig"}


class Issuer:
    """Use as a context manager; `documents` is what it serves, `requests` what was asked."""

    def __init__(self) -> None:
        self.documents: dict[str, Any] = {}
        self.requests: list[str] = []
        self.down = False
        self.keys: dict[str, str] = {}
        self._server = _Server(self)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), name="issuer")
        configuration = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        self.documents["/.well-known/openid-configuration"] = configuration
        self.rotate("key-1")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def rotate(self, *kids: str, algorithm: str = "ES256") -> None:
        """From now on only these keys are in the key set."""
        self.keys = dict.fromkeys(kids, algorithm)
        keys = [public_jwk(algorithm, kid) for kid in kids]
        self.documents["/keys"] = {"keys": keys}

    def token(
        self,
        claims: Mapping[str, Any],
        *,
        kid: str | None = "key-1",
        algorithm: str = "ES256",
        key: Any = None,
        **headers: Any,
    ) -> str:
        """A signed token of these claims, and of nothing else."""
        head = {**headers} if kid is None else {"kid": kid, **headers}
        signer = key if key is not None else key_of(algorithm, kid or "key-1")
        return jwt.encode(dict(claims), signer, algorithm, head)

    def claims(self, now: datetime | None = None, **changes: Any) -> dict[str, Any]:
        """The claims of a good token; a change to None takes one away."""
        moment = int((now or datetime.now(UTC)).timestamp())
        good = {"iss": self.url, "aud": "webhooks", "sub": "ci"}
        whole = good | {"iat": moment, "exp": moment + LIFETIME} | changes
        return {name: value for name, value in whole.items() if value is not None}

    def asked(self, path: str) -> int:
        return self.requests.count(path)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def unsigned(claims: Mapping[str, Any], algorithm: str = "none") -> str:
    """A token without a signature."""
    return f"{encoded({'alg': algorithm, 'kid': 'key-1'})}.{encoded(claims)}."


def encoded(value: object) -> str:
    text = json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


class _Server(ThreadingHTTPServer):
    request_queue_size = 64

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        issuer = cast(_Server, self.server).issuer
        issuer.requests.append(self.path)
        found = None if issuer.down else issuer.documents.get(self.path)
        body = found if isinstance(found, bytes) else json.dumps(found).encode()
        self.send_response(503 if issuer.down else 404 if found is None else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass
