"""The scheme ``standardWebhooks``: signatures of the Standard Webhooks specification 1.0.

The signature covers ``id.timestamp.body``. ``webhook-signature`` lists signatures, separated by
spaces: ``v1`` (HMAC with a ``whsec_`` secret) or ``v1a`` (Ed25519, checked with a ``whpk_`` public
key). A full stop separates the id from the timestamp. So an id with a full stop is refused; the
specification forbids it to senders. The id is stored with the push: a call that is sent again
within the window is a duplicate. Svix, whose form this is, names the headers ``svix-*`` too.
"""

from __future__ import annotations

import base64
import hmac
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import SecretStr, field_validator

from webhook_service.model.delivery import Call
from webhook_service.schemes.proving.signature import (
    MAX_SIGNATURES,
    SecretOptions,
    any_same,
    header_of,
    require,
)
from webhook_service.schemes.scheme import Proof, Scheme

WINDOW = 300
SECRET, PUBLIC_KEY = "whsec_", "whpk_"
MIN_SECRET_BYTES = 24

_ID = re.compile(rb"[!-\-/-~]{1,256}")
_TIMESTAMP = re.compile(rb"[0-9]{1,12}")


class Key(ABC):
    """One live key of a sender."""

    @abstractmethod
    def signed(self, content: bytes, signatures: Sequence[bytes]) -> bool:
        """Whether this key made one of the signatures over the content."""


class SharedKey(Key):
    """A secret that signs as ``v1``."""

    def __init__(self, key: bytes) -> None:
        if len(key) < MIN_SECRET_BYTES:
            raise ValueError(f"must hold at least {MIN_SECRET_BYTES} bytes")
        self._key = key

    def signed(self, content: bytes, signatures: Sequence[bytes]) -> bool:
        mac = hmac.digest(self._key, content, "sha256")
        return any_same(signatures, [b"v1," + base64.b64encode(mac)])


class PublicKey(Key):
    """The public half of a key that signs as ``v1a``."""

    def __init__(self, key: bytes) -> None:
        try:
            self._key = Ed25519PublicKey.from_public_bytes(key)
        except ValueError as exc:
            raise ValueError("must hold an Ed25519 public key of 32 bytes") from exc

    def signed(self, content: bytes, signatures: Sequence[bytes]) -> bool:
        return any([self._made(signature, content) for signature in signatures])

    def _made(self, signature: bytes, content: bytes) -> bool:
        version, _, text = signature.partition(b",")
        try:
            raw = base64.b64decode(text, validate=True)
            self._key.verify(raw, content)
        except (ValueError, InvalidSignature):
            return False
        return version == b"v1a" and base64.b64encode(raw) == text


def read_key(text: str) -> Key:
    """Read a key in the form in which senders show it.

    The prefix is needed. Without it, a public key could be taken for a secret, and then anybody
    could sign.

    Raises:
        ValueError: the text has no such form; the message does not repeat the text.
    """
    for prefix, kind in ((SECRET, SharedKey), (PUBLIC_KEY, PublicKey)):
        if text.startswith(prefix):
            try:
                raw = base64.b64decode(_padded(text.removeprefix(prefix)), validate=True)
            except ValueError as exc:
                raise ValueError(f"must be base64 after {prefix}") from exc
            return kind(raw)
    raise ValueError(
        f"must start with {SECRET} (a secret) or {PUBLIC_KEY} (a public key): put {SECRET} before "
        "a secret that your sender shows without it"
    )


def _padded(text: str) -> str:
    """Base64 as it is read; senders leave out the padding at times."""
    return text + "=" * (-len(text) % 4)


def check_keys(secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    """Return the secrets unchanged if each is a key.

    Raises:
        ValueError: one of them is no key.
    """
    for secret in secrets:
        read_key(secret.get_secret_value())
    return secrets


def is_signed(call: Call, secrets: Iterable[SecretStr], now: float) -> bool:
    """Whether one of the keys signed the call, within the window around ``now``."""
    message, sent = _header(call, "id"), _header(call, "timestamp")
    if not (_ID.fullmatch(message) and _TIMESTAMP.fullmatch(sent)):
        return False
    content = b".".join((message, sent, call.body))
    signatures = _header(call, "signature").split(b" ")[:MAX_SIGNATURES]
    keys = [read_key(secret.get_secret_value()) for secret in secrets]
    genuine = any([key.signed(content, signatures) for key in keys])
    return genuine and abs(now - int(sent)) <= WINDOW


def message_of(call: Call) -> str:
    """The id of a signed call. It is the same for all attempts to deliver one message."""
    return _header(call, "id").decode("ascii")


def _header(call: Call, name: str) -> bytes:
    """A header of the specification; all are Svix's own where the call has no ``webhook-id``."""
    family = "webhook" if "webhook-id" in call.headers else "svix"
    return header_of(call, f"{family}-{name}")


class StandardWebhooksOptions(SecretOptions):
    """``secret`` is a ``whsec_`` secret or a ``whpk_`` public key."""

    _check_secret = field_validator("secret")(check_keys)


class StandardWebhooks(Scheme[StandardWebhooksOptions]):
    """The signatures ``v1`` and ``v1a`` of the Standard Webhooks specification."""

    Options = StandardWebhooksOptions
    computes_only = True
    proof = Proof(
        headers=("webhook-id", "webhook-timestamp", "webhook-signature"),
        algorithm="HMAC-SHA256 (`v1`) or Ed25519 (`v1a`) of id, time and body",
        replay="refused after 5 minutes, before that a duplicate",
    )

    def check(self, call: Call, options: StandardWebhooksOptions) -> None:
        require(is_signed(call, options.secret, time.time()))

    def message_id(self, call: Call, options: StandardWebhooksOptions) -> str | None:
        return message_of(call)
