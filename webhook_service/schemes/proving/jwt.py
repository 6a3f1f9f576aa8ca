"""Signed tokens (JWT, RFC 7519) and key sets (JWK, RFC 7517). The only importer of PyJWT.

The key decides the algorithm, never the token (RFC 8725, section 3.1). Import this module
where it is used: PyJWT would slow the start of every service.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.types import Options

RSA_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
ALGORITHMS = frozenset({*RSA_ALGORITHMS, "ES256", "ES384", "ES512", "EdDSA"})
MAX_KEYS = 100

Claims = Mapping[str, Any]


class BadToken(Exception):
    """A token that proves nothing; the message has none of it."""


class Keys:
    """The public keys of an issuer that can sign tokens.

    Args:
        document: a JWK set. Keys of other uses and types are left out, and so is every key
            that is not public: a symmetric key would let its readers sign.

    Raises:
        ValueError: it is no JWK set, or has no such key.
    """

    def __init__(self, document: bytes) -> None:
        self._keys: dict[str | None, jwt.PyJWK] = {}
        for values in _listed(document):
            key = _public_key(values)
            if key is not None:
                self._keys.setdefault(key.key_id, key)
        if not self._keys:
            raise ValueError("The key set has no key that can verify a token.")

    def find(self, kid: str | None) -> jwt.PyJWK | None:
        """The key with this id; a token that names none means the only key."""
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid)


def key_id(token: str) -> str | None:
    """The key that a token says it is signed with.

    Raises:
        BadToken: its head cannot be read, or names an algorithm that is never used.
    """
    try:
        head = jwt.get_unverified_header(token)
    except Exception as exc:
        raise BadToken(type(exc).__name__) from None
    if head.get("alg") not in ALGORITHMS:
        raise BadToken("algorithm")
    kid = head.get("kid")
    return kid if kid is None else str(kid)


def issued_claims(token: str, key: jwt.PyJWK, issuer: str, audience: str) -> Claims:
    """The claims of a token that the issuer signed for the audience; times are not checked.

    Raises:
        BadToken: it is not such a token.
    """
    return _claims(
        token,
        key,
        [key.algorithm_name],
        {"require": ["iss", "aud", "exp", "iat"]},
        issuer=issuer,
        audience=audience,
    )


def plain_claims(token: str, key: RSAPublicKey) -> Claims:
    """The claims of a token signed with RS256, whatever they are; times are not checked.

    Raises:
        BadToken: the signature is not the key's.
    """
    return _claims(token, key, ["RS256"], {"verify_aud": False, "verify_iss": False})


def check_times(claims: Claims, now: datetime, leeway: float) -> None:
    """Refuse a token before its time or after it; times it does not have are not checked.

    Raises:
        BadToken: it is not valid now.
    """
    moment = now.timestamp()
    if "exp" in claims and not moment < _seconds(claims["exp"]) + leeway:
        raise BadToken("expired")
    for name in ("iat", "nbf"):
        if name in claims and not _seconds(claims[name]) <= moment + leeway:
            raise BadToken("not yet valid")


def _claims(
    token: str, key: Any, algorithms: list[str], options: Mapping[str, Any], **expected: str
) -> Claims:
    # Times are checked by check_times, against the caller's clock.
    own = {f"verify_{name}": False for name in ("exp", "iat", "nbf", "sub", "jti")}
    whole = cast(Options, {**own, "enforce_minimum_key_length": True, **options})
    try:
        return jwt.decode(
            token,
            key,
            algorithms=algorithms,
            options=whole,
            issuer=expected.get("issuer"),
            audience=expected.get("audience"),
        )
    except Exception as exc:  # PyJWT raises more than its own errors on hostile text
        raise BadToken(type(exc).__name__) from None


def _listed(document: bytes) -> list[dict[str, Any]]:
    found = json.loads(document)
    keys = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(keys, list) or len(keys) > MAX_KEYS:
        raise ValueError("The key set is no JSON object with a list of keys.")
    return [values for values in keys if isinstance(values, dict)]


def _public_key(values: dict[str, Any]) -> jwt.PyJWK | None:
    if values.get("use", "sig") != "sig" or "d" in values or values.get("kty") == "oct":
        return None
    try:
        key = jwt.PyJWK(values)
    except Exception:  # one unusable key must not take the others down
        return None
    return key if key.algorithm_name in ALGORITHMS else None


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadToken("a time that is no number")
    try:
        seconds = float(value)
    except OverflowError:
        seconds = math.inf
    if not math.isfinite(seconds):
        raise BadToken("a time without end")
    return seconds
