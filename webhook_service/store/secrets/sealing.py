"""Sealing and signing, with keys that are not in the database: secrets are kept encrypted.

A sealed value names its owner inside, so that a ciphertext copied to another row does not open.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import os
import secrets
import shlex
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from webhook_service.errors import SettingsError

MIN_SECRET = 16

log = logging.getLogger(__name__)


class Sealer:
    """Seals and opens short texts, and signs what the service says.

    Args:
        secret_keys: any texts of at least 16 characters; the first seals and signs, all of them
            open and check.
    """

    def __init__(self, secret_keys: Sequence[str]) -> None:
        if not secret_keys or any(len(key) < MIN_SECRET for key in secret_keys):
            raise SettingsError(f"A secret key needs at least {MIN_SECRET} characters.")
        self._fernet = MultiFernet([Fernet(_fernet_key(key)) for key in secret_keys])
        self._signing_keys = [_derived(b"signing", key) for key in secret_keys]

    def seal(self, owner: str, secret: str) -> str:
        """Encrypt a secret for the row of an owner."""
        return self._fernet.encrypt(f"{owner}\n{secret}".encode()).decode()

    def reseal(self, owner: str, sealed: str) -> str:
        """Seal again, with the newest key.

        Raises:
            SettingsError: see ``open``.
        """
        return self.seal(owner, self.open(owner, sealed))

    def open(self, owner: str, sealed: str) -> str:
        """Decrypt a secret.

        Raises:
            SettingsError: sealed with another key, or for another owner.
        """
        try:
            found, _, secret = self._fernet.decrypt(sealed.encode()).decode().partition("\n")
        except InvalidToken as exc:
            raise SettingsError(
                "A stored secret does not open: the secret key that sealed it is not set. Set it "
                "again, behind a comma after the new one (WEBHOOK_SERVICE_SECRET_KEY), or on a "
                "line of its own below it (in a key file). 'webhook-service secret-key rotate' "
                "then makes it needless."
            ) from exc
        if found != owner:
            raise SettingsError("A stored secret belongs to another row: restore a backup.")
        return secret

    def sign(self, text: str) -> str:
        """The signature of a text, 43 characters: HMAC-SHA256 in base64url."""
        return _signature(self._signing_keys[0], text)

    def is_signed(self, text: str, signature: str) -> bool:
        """Whether one of the keys has signed a text."""
        made = (_signature(key, text) for key in self._signing_keys)
        return any(hmac.compare_digest(each.encode(), signature.encode()) for each in made)


def split_keys(text: str) -> list[str]:
    """Secret keys as they are set: separated by commas or lines, the newest first."""
    return [key.strip() for key in text.replace("\n", ",").split(",") if key.strip()]


def read_or_make_key(path: Path) -> list[str]:
    """The keys in a file; a missing file is made, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        # Written whole before it has its name: a crash leaves no empty key, and of two processes
        # that start at once both use the key of the first.
        handle, made = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(handle)
        with suppress(FileExistsError):
            os.link(made, path)
        os.unlink(made)
    return read_keys(path)


def read_keys(path: Path) -> list[str]:
    """The keys in a file.

    Raises:
        SettingsError: it cannot be read, or has a line that is no key; the message names it.
    """
    try:
        keys = split_keys(path.read_text())
    except OSError as exc:
        raise SettingsError(f"The key file {path} cannot be read: {exc.strerror}.") from exc
    except UnicodeDecodeError as exc:
        raise SettingsError(f"The key file {path} cannot be read: it is no text.") from exc
    if not keys or any(len(key) < MIN_SECRET for key in keys):
        raise SettingsError(
            f"The key file {path} must have a key of at least {MIN_SECRET} characters on each "
            "line. Put the key back that it had: what is sealed opens with no other."
        )
    return keys


def warn_if_open(paths: Iterable[Path], mounted: Path | None = None) -> None:
    """Log a warning of the files with secrets that other users of the machine can read.

    Args:
        mounted: one of them that people bring, and perhaps mount.
    """
    modes = {path: path.stat().st_mode & 0o777 for path in paths if path.exists()}
    found = {path: mode for path, mode in modes.items() if mode & 0o044}
    if not found:
        return
    names = ", ".join(f"{path} (mode {mode:03o})" for path, mode in found.items())
    advice = ", or set defaultMode 0400 if it is a mounted Secret" if mounted in found else ""
    files = shlex.join(map(str, found))
    log.warning("Other users can read %s: run 'chmod go= %s'%s.", names, files, advice)


def _fernet_key(secret: str) -> bytes:
    return base64.urlsafe_b64encode(_derived(b"sealing", secret))


def _derived(purpose: bytes, secret: str) -> bytes:
    return hashlib.sha256(b"webhook-service " + purpose + b" key\n" + secret.encode()).digest()


def _signature(key: bytes, text: str) -> str:
    mac = hmac.digest(key, text.encode(), "sha256")
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
