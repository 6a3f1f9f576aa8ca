"""A message of Amazon SNS: what of it is signed, and whether it is.

Source: Amazon SNS documentation, "Verifying the signature of an Amazon SNS message when using
HTTP query-based requests": the signed text has names and values in turn, each on a line of its
own, so a value with a line break could pass for two. Only the text of the message may have one.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import Certificate

from webhook_service.errors import InvalidPayload
from webhook_service.formats.reading import times
from webhook_service.formats.reading.strict_json import read_json

NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
SIGNED = {
    "Notification": NOTIFICATION,
    "SubscriptionConfirmation": CONFIRMATION,
    "UnsubscribeConfirmation": CONFIRMATION,
}
HASHES = {"1": SHA1, "2": SHA256}


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it was sent, nothing of it proven.

    Attributes:
        fields: those that are signed, by name and in the order of the signed text.
    """

    fields: Mapping[str, str]
    sent: datetime
    certificate_url: str
    version: str
    signature: bytes

    @property
    def subscribes(self) -> bool:
        """Whether it asks to confirm a subscription."""
        return self.fields["Type"] == "SubscriptionConfirmation"

    @property
    def signed(self) -> bytes:
        """The text that the signature is over."""
        return "".join(f"{name}\n{value}\n" for name, value in self.fields.items()).encode()


def read_message(body: bytes) -> Message:
    """Read a body.

    Raises:
        ValueError: it is no message of SNS.
    """
    try:
        values = read_json(body)
    except InvalidPayload:
        raise ValueError("no JSON") from None
    if not isinstance(values, dict) or (names := SIGNED.get(str(values.get("Type")))) is None:
        raise ValueError("no message of SNS")
    fields = {
        name: _text(values, name)
        for name in names
        if name != "Subject" or values.get(name) is not None
    }
    sent = times.read_time(fields["Timestamp"])
    if sent is None:
        raise ValueError("no time")
    return Message(
        fields,
        sent,
        _text(values, "SigningCertURL"),
        _text(values, "SignatureVersion"),
        _decoded(_text(values, "Signature")),
    )


def check_signature(message: Message, certificate: Certificate) -> None:
    """Let a message pass that the certificate's key has signed.

    Raises:
        ValueError: it has not.
    """
    key, hash_ = certificate.public_key(), HASHES.get(message.version)
    if hash_ is None or not isinstance(key, RSAPublicKey):
        raise ValueError("a signature of an unknown version")
    try:
        key.verify(message.signature, message.signed, PKCS1v15(), hash_())
    except InvalidSignature:
        raise ValueError("a wrong signature") from None
    except UnsupportedAlgorithm:  # a machine whose rules forbid SHA-1
        raise ValueError("a signature that this machine may not verify") from None


def _text(values: Mapping[str, object], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or ("\n" in value and name != "Message"):
        raise ValueError(f"no {name}")
    return value


def _decoded(signature: str) -> bytes:
    try:
        return base64.b64decode(signature, validate=True)
    except binascii.Error:
        raise ValueError("a signature that cannot be read") from None
