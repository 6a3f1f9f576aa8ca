"""The oldest URLs of v1.6: ``?token=`` and a JWT that v1.6 signed with its own RSA key.

Its claims name the project and, as ``uuid``, the receiver's key. The config that it carries as
well is not used: the receiver has to exist, and has its own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

from webhook_service.errors import SettingsError
from webhook_service.telemetry.logs import sparing

MIN_KEY_BITS = 2048
MAX_TOKEN = 16 * 1024
MAX_PROJECT = 255

log = sparing(__name__)


class LegacyTokens:
    """Reads the tokens that one v1.6 signed.

    Args:
        key: the public half of its key.
    """

    def __init__(self, key: RSAPublicKey) -> None:
        self._key = key

    @classmethod
    def from_file(cls, path: Path) -> LegacyTokens:
        """Take the key from a PEM file: a public key, or a certificate.

        Raises:
            SettingsError: it cannot be read, or is no RSA key of at least 2048 bits.
        """
        try:
            key = _public_key(path.read_bytes(), path)
        except OSError as exc:
            raise _unusable(f"{path} cannot be read: {exc.strerror}.") from exc
        except (ValueError, UnsupportedAlgorithm) as exc:
            raise _unusable(f"{path} holds no public key and no certificate in PEM.") from exc
        if not isinstance(key, RSAPublicKey) or key.key_size < MIN_KEY_BITS:
            raise _unusable(f"{path} holds no RSA key of at least {MIN_KEY_BITS} bits.")
        return cls(key)

    def read(self, token: str) -> tuple[str, str] | None:
        """The project and key that a token stands for; ``None`` for one that is not genuine."""
        from webhook_service.schemes.proving.jwt import BadToken, check_times, plain_claims

        if len(token) > MAX_TOKEN:
            return None
        try:
            claims = plain_claims(token, self._key)
            check_times(claims, datetime.now(UTC), 0)
        except BadToken as exc:
            log.info("A token of v1.6 was refused: %s", exc)
            return None
        project, key = claims.get("projectId"), claims.get("uuid")
        if not (isinstance(project, str) and isinstance(key, str)):
            return None
        return (project, key) if project.isprintable() and len(project) <= MAX_PROJECT else None


def _public_key(pem: bytes, path: Path) -> object:
    if b"PRIVATE KEY-----" in pem:
        raise _unusable(
            f"{path} holds a private key, which this service must not have: give it the public "
            "half, which `openssl pkey -in FILE -pubout` prints."
        )
    if b"-----BEGIN CERTIFICATE-----" in pem:
        return load_pem_x509_certificate(pem).public_key()
    return load_pem_public_key(pem)


def _unusable(problem: str) -> SettingsError:
    return SettingsError(f"WEBHOOK_SERVICE_V16_PUBLIC_KEY_FILE: {problem}")
