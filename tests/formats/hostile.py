"""Bodies of one mebibyte that are made to take long."""

from collections.abc import Mapping

MIB = 1 << 20


def filled(unit: bytes, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    """As many units as fit, with commas between them."""
    count = (MIB - 2) // (len(unit) + 1)
    return opening + b",".join([unit] * count) + closing


JSON: Mapping[str, bytes] = {
    "open arrays": b"[" * MIB,
    "open objects": b'{"a":' * (MIB // 5),
    "empty arrays": filled(b"[]"),
    "full depth": b"[" + b",".join([b"[" * 31 + b"]" * 31] * (MIB // 63)) + b"]",
    "integers": filled(b"1"),
    "floats": filled(b"1.5"),
    "one integer": b"1" * MIB,
    "one float": b"0." + b"1" * (MIB - 2),
    "many fields": b"{" + b",".join(b'"%x":1' % i for i in range(90_000)) + b"}",
    "one field": filled(b'"a":1', b"{", b"}"),
    "quotes": b'"' * MIB,
    "escaped quotes": b'"' + b'\\"' * (MIB // 2),
    "backslashes": b'"' + b"\\" * (MIB - 1),
    "pairs": b'"' + b"\\ud83d\\ude00" * (MIB // 12) + b'"',
    "half pairs": b'"' + b"\\ud83d" * (MIB // 6) + b'"',
    "spaces": b" " * (MIB - 2) + b"[]",
}
"""For whatever reads JSON."""
