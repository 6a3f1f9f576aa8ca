"""Public keys that signatures of images are checked with."""

from __future__ import annotations

import re

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

MIN_RSA_BITS, MAX_RSA_BITS = 2048, 8192
MAX_COUNT = 8
_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----", re.DOTALL)

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


def read_keys(text: str) -> tuple[PublicKey, ...]:
    """Read public keys in PEM, one after the other.

    Raises:
        ValueError: there is none, or one of a kind that is not supported.
    """
    blocks = list(_PEM.finditer(text))
    if not blocks or _PEM.sub("", text).strip():
        raise ValueError("must be one or more public keys in PEM (-----BEGIN PUBLIC KEY-----)")
    if len(blocks) > MAX_COUNT:
        raise ValueError(f"holds more than {MAX_COUNT} keys")
    return tuple(_read(block.group(1), block.group(0)) for block in blocks)


def _read(label: str, pem: str) -> PublicKey:
    if "PRIVATE" in label:
        raise ValueError("holds a private key; give the public one and make a new pair")
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("holds a public key that cannot be read") from None
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    if isinstance(key, rsa.RSAPublicKey) and MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        return key
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    raise ValueError("holds a key that is not ECDSA P-256, Ed25519 or RSA of at least 2048 bits")


def is_signed(key: PublicKey, signature: bytes, data: bytes) -> bool:
    """Whether the key signed the data, with SHA-256 for the kinds that need a hash."""
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
        else:
            key.verify(signature, data)
    except InvalidSignature:
        return False
    return True
