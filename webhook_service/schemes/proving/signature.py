"""What schemes share: reading a header, and comparing without telling how much was right.

A missing header reads as an empty value, which equals no signature and no secret. So a missing, a
malformed and a wrong header take the same way to the same answer.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from webhook_service.errors import Unauthenticated
from webhook_service.model.delivery import Call
from webhook_service.schemes.scheme import SchemeOptions, Secrets

REFUSED = "The call is not proven genuine."
# A sender needs one signature per live secret; more only cost time.
MAX_SIGNATURES = 16

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")


class SecretOptions(SchemeOptions):
    """Options of a scheme that only needs a secret, which the sender has too."""

    secret: Secrets = Field(description="what the sender was given; two while it changes")


def _header_name(value: str) -> str:
    if not _TOKEN.fullmatch(value):
        raise ValueError("must be the name of an HTTP header")
    return value.lower()


HeaderName = Annotated[str, AfterValidator(_header_name)]
"""The name of a header, in lower case."""


def header_of(call: Call, name: str) -> bytes:
    """The value of a header as it was sent; empty if the header is missing.

    Args:
        name: the header's name in lower case.
    """
    value = call.headers.get(name, "")
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return _raw(value)


def keys_of(secrets: Iterable[SecretStr]) -> tuple[bytes, ...]:
    """The secrets as bytes."""
    return tuple(_raw(secret.get_secret_value()) for secret in secrets)


def hex_macs(secrets: Iterable[SecretStr], body: bytes, hash_name: str) -> tuple[bytes, ...]:
    """The hexadecimal HMAC of the body under each secret."""
    return tuple(hmac.digest(key, body, hash_name).hex().encode() for key in keys_of(secrets))


def any_same(given: Iterable[bytes], expected: Iterable[bytes]) -> bool:
    """Whether one of the given values is one of the expected values.

    It compares all of them, each in constant time and over digests. So the time does not tell
    which value was right, nor how long a secret is.
    """
    wanted = [hashlib.sha256(value).digest() for value in expected]
    results = [
        hmac.compare_digest(hashlib.sha256(value).digest(), digest)
        for value in given
        for digest in wanted
    ]
    return any(results)


def require(genuine: bool) -> None:
    """Return if the call is genuine.

    Raises:
        Unauthenticated: it is not genuine; every scheme says so in the same words.
    """
    if not genuine:
        raise Unauthenticated(REFUSED)


def _raw(text: str) -> bytes:
    """Any text as bytes, also one that is no proper Unicode."""
    return text.encode("utf-8", "surrogatepass")
