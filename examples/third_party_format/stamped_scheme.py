"""The scheme ``stamped``: an HMAC-SHA256 over the time of the call and its body.

Shipyard sends ``X-Shipyard-Stamp: <seconds since 1970> <hexadecimal HMAC of "<seconds>.<body>">``.
"""

import hmac
import time

from pydantic import Field

from webhook_service import Call
from webhook_service.schemes import (
    Proof,
    Scheme,
    SecretOptions,
    any_same,
    header_of,
    keys_of,
    require,
)

MAX_DIGITS = 12


class StampedOptions(SecretOptions):
    """``secret`` is sealed in the database and never shown, as its type says."""

    seconds: int = Field(default=300, ge=1, le=3600, description="how old a call may be")


class Stamped(Scheme[StampedOptions]):
    """Compares in constant time, and refuses everything in the same words."""

    Options = StampedOptions
    proof = Proof(
        headers=("X-Shipyard-Stamp",),
        algorithm="HMAC-SHA256 of time and body, hexadecimal",
        replay="refused after `seconds`, before that a duplicate",
    )

    def check(self, call: Call, options: StampedOptions) -> None:
        stamp, _, given = header_of(call, "x-shipyard-stamp").partition(b" ")
        content = stamp + b"." + call.body
        keys = keys_of(options.secret)
        genuine = any_same([given], [_mac(key, content) for key in keys])
        require(genuine and _age(stamp) <= options.seconds)

    def message_id(self, call: Call, options: StampedOptions) -> str:
        """What is signed is different for each call: a copy has the same signature."""
        return call.headers["x-shipyard-stamp"]


def _mac(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, "sha256").hex().encode()


def _age(stamp: bytes) -> float:
    if not stamp.isdigit() or len(stamp) > MAX_DIGITS:
        return float("inf")
    return abs(time.time() - int(stamp))
