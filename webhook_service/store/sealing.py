"""Sealing: secrets are kept encrypted, with a key that is not in the database.

A sealed value names its owner inside, so that a ciphertext copied to another row does not open.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from webhook_service.errors import SettingsError

MIN_SECRET = 16


class Sealer:
    """Seals and opens short texts.

    Args:
        secret_keys: any texts of at least 16 characters; the first seals, all of them open.
    """

    def __init__(self, secret_keys: Sequence[str]) -> None:
        if not secret_keys or any(len(key) < MIN_SECRET for key in secret_keys):
            raise SettingsError(f"A secret key needs at least {MIN_SECRET} characters.")
        self._fernet = MultiFernet([Fernet(_fernet_key(key)) for key in secret_keys])

    def seal(self, owner: str, secret: str) -> str:
        """Encrypt a secret for the row of an owner."""
        return self._fernet.encrypt(f"{owner}\n{secret}".encode()).decode()

    def open(self, owner: str, sealed: str) -> str:
        """Decrypt a secret.

        Raises:
            SettingsError: sealed with another key, or for another owner.
        """
        try:
            found, _, secret = self._fernet.decrypt(sealed.encode()).decode().partition("\n")
        except InvalidToken as exc:
            raise SettingsError(
                "A stored secret does not open: WEBHOOK_SERVICE_SECRET_KEY is not the one that "
                "sealed it. Set the old key again, behind a comma after the new one."
            ) from exc
        if found != owner:
            raise SettingsError("A stored secret belongs to another row: restore a backup.")
        return secret


def split_keys(text: str) -> list[str]:
    """Secret keys as they are set: separated by commas or lines, the newest first."""
    return [key.strip() for key in text.replace("\n", ",").split(",") if key.strip()]


def read_or_make_key(path: Path) -> list[str]:
    """The keys in a file; a missing file is made, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return split_keys(path.read_text())
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(32) + "\n")
    return split_keys(path.read_text())


def _fernet_key(secret: str) -> bytes:
    digest = hashlib.sha256(b"webhook-service sealing key\n" + secret.encode()).digest()
    return base64.urlsafe_b64encode(digest)
