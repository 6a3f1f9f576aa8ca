"""Headers as senders prove their calls with them, for tests and for trying a receiver out.

Written apart from the schemes that check them, so that a test of both tests something.
"""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from webhook_service.errors import InvalidRequest

PRIVATE_KEY = "whsk_"
SEED_BYTES = 32


def sign(scheme: str, secret: str, body: bytes, **options: Any) -> dict[str, str]:
    """The headers that prove a call, names in lower case.

    Args:
        scheme: a scheme's name, as in a receiver's ``verify``.
        secret: what the receiver knows too; for Ed25519 the private key (``whsk_…``).
        options: those of the function for the scheme below, such as ``header``.

    Raises:
        InvalidRequest: nothing can be signed for this scheme.
    """
    if (signer := _SIGNERS.get(scheme)) is None:
        raise InvalidRequest(f"There is no signature for {scheme!r}; try {', '.join(_SIGNERS)}.")
    return signer(secret, body, **options)


def sign_github(secret: str, body: bytes) -> dict[str, str]:
    """As GitHub signs."""
    return {"x-hub-signature-256": f"sha256={_mac(secret, body).hex()}"}


def sign_gitlab(
    secret: str,
    body: bytes,
    *,
    signing_secret: str | None = None,
    message_id: str = "msg_1",
    timestamp: float | None = None,
) -> dict[str, str]:
    """As GitLab does: the secret token (none if empty), and a signature with the signing token."""
    headers = {"x-gitlab-token": secret} if secret else {}
    if signing_secret is None:
        return headers
    return headers | sign_standard_webhooks(
        signing_secret, body, message_id=message_id, timestamp=timestamp
    )


def sign_gitea(secret: str, body: bytes) -> dict[str, str]:
    """As Gitea signs; Forgejo adds the same under a name of its own."""
    mac = _mac(secret, body).hex()
    return {"x-gitea-signature": mac, "x-hub-signature-256": f"sha256={mac}"}


def sign_jfrog(secret: str, body: bytes, *, signed: bool = False) -> dict[str, str]:
    """As JFrog does, without and with "Use secret for payload signing"."""
    return {"x-jfrog-event-auth": _mac(secret, body).hex() if signed else secret}


def sign_nexus(secret: str, body: bytes) -> dict[str, str]:
    """As Sonatype Nexus signs."""
    return {"x-nexus-webhook-signature": _mac(secret, body, "sha1").hex()}


def sign_cloudsmith(secret: str, body: bytes) -> dict[str, str]:
    """As Cloudsmith signs."""
    return {"x-cloudsmith-signature": f"sha1={_mac(secret, body, 'sha1').hex()}"}


def sign_hmac(
    secret: str,
    body: bytes,
    *,
    header: str = "x-signature",
    hash: str = "sha256",
    encoding: str = "hex",
    prefix: str = "",
) -> dict[str, str]:
    """An HMAC in a header of choice; ``encoding`` is ``hex``, ``base64`` or ``base64url``."""
    encode: Mapping[str, Callable[[bytes], str]] = {
        "hex": bytes.hex,
        "base64": lambda mac: base64.b64encode(mac).decode(),
        "base64url": lambda mac: base64.urlsafe_b64encode(mac).decode().rstrip("="),
    }
    return {header.lower(): prefix + encode[encoding](_mac(secret, body, hash))}


def sign_header(secret: str, body: bytes, *, header: str = "authorization") -> dict[str, str]:
    """The secret as a header's value; the body does not matter."""
    return {header.lower(): secret}


def sign_basic(secret: str, body: bytes, *, user: str) -> dict[str, str]:
    """A user name and the secret as password; the body does not matter."""
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()}


def sign_standard_webhooks(
    secret: str,
    body: bytes,
    *,
    message_id: str = "msg_1",
    timestamp: float | None = None,
) -> dict[str, str]:
    """As Standard Webhooks are signed: ``v1`` with ``whsec_…``, ``v1a`` with ``whsk_…``.

    Args:
        timestamp: when the call is sent; now if left out.
    """
    sent = str(int(time.time() if timestamp is None else timestamp))
    content = f"{message_id}.{sent}.".encode() + body
    if secret.startswith(PRIVATE_KEY):
        version, raw = "v1a", _private_key(secret).sign(content)
    else:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        version, raw = "v1", hmac.digest(key, content, "sha256")
    return {
        "webhook-id": message_id,
        "webhook-timestamp": sent,
        "webhook-signature": f"{version},{base64.b64encode(raw).decode()}",
    }


def public_key(private_key: str) -> str:
    """The ``whpk_…`` that belongs to a ``whsk_…``."""
    raw = _private_key(private_key).public_key().public_bytes_raw()
    return "whpk_" + base64.b64encode(raw).decode()


def _private_key(text: str) -> Ed25519PrivateKey:
    """The seed comes first; some senders write the public key after it."""
    raw = base64.b64decode(text.removeprefix(PRIVATE_KEY))
    return Ed25519PrivateKey.from_private_bytes(raw[:SEED_BYTES])


def _mac(secret: str, body: bytes, hash_name: str = "sha256") -> bytes:
    return hmac.digest(secret.encode(), body, hash_name)


_SIGNERS: Mapping[str, Callable[..., dict[str, str]]] = {
    "github": sign_github,
    "gitlab": sign_gitlab,
    "gitea": sign_gitea,
    "jfrog": sign_jfrog,
    "nexus": sign_nexus,
    "cloudsmith": sign_cloudsmith,
    "hmac": sign_hmac,
    "header": sign_header,
    "basic": sign_basic,
    "standardWebhooks": sign_standard_webhooks,
}
