"""A secret key under a passphrase, so that it may lie beside a backup."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken

from webhook_service.errors import InvalidConfig
from webhook_service.store.secrets.sealing import split_keys

MIN_PASSPHRASE = 12
# scrypt as RFC 7914 has it: 64 MiB and a quarter of a second for each guess.
COST, BLOCK, MEMORY = 1 << 16, 8, 96 << 20


def lock(keys: Sequence[str], passphrase: str) -> str:
    """Encrypt secret keys.

    Raises:
        InvalidConfig: the passphrase is too short.
    """
    if len(passphrase) < MIN_PASSPHRASE:
        raise InvalidConfig(f"The passphrase needs at least {MIN_PASSPHRASE} characters.")
    salt = secrets.token_hex(16)
    locked = _cipher(salt, passphrase).encrypt("\n".join(keys).encode()).decode()
    return json.dumps({"webhook-service": "secret key", "salt": salt, "locked": locked}) + "\n"


def unlock(text: str, passphrase: str) -> list[str]:
    """Decrypt what ``lock`` gave.

    Raises:
        InvalidConfig: the text is none of ``lock``'s, or the passphrase is another one.
    """
    try:
        found = json.loads(text)
        cipher = _cipher(found["salt"], passphrase)
        return split_keys(cipher.decrypt(found["locked"].encode()).decode())
    except InvalidToken as exc:
        raise InvalidConfig("The passphrase does not open the backup's key.") from exc
    except (ValueError, TypeError, LookupError, AttributeError) as exc:
        raise InvalidConfig("The backup's key file is damaged.") from exc


def _cipher(salt: str, passphrase: str) -> Fernet:
    key = hashlib.scrypt(
        passphrase.encode(), salt=bytes.fromhex(salt), n=COST, r=BLOCK, p=1, maxmem=MEMORY, dklen=32
    )
    return Fernet(base64.urlsafe_b64encode(key))
