"""Taking secrets out of text that others wrote: exceptions of libraries, tracebacks, log records.

Messages to callers hold no such text at all (``errors.fault_of``). This is for the log.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "…"
# What is shorter would be found in words that are no secret.
MIN_KNOWN = 8

# Bounded, so that no text costs more than a multiple of its length.
_WORDS = "password|passwd|secret|token|authorization|cookie|signature|api[_-]?key"
_NAMES = rf"[\w-]{{0,40}}(?:{_WORDS})[\w-]{{0,40}}"
_RULES = [
    # Our own keys and tokens.
    (re.compile(r"\b(wh[kt]_)[A-Za-z0-9_-]{43}"), rf"\1{MASK}"),
    # https://www.rfc-editor.org/rfc/rfc6750 and rfc7617: credentials behind the name of a scheme.
    (re.compile(r"\b(bearer)\s+[^\s'\",;\\]{6,}", re.IGNORECASE), rf"\1 {MASK}"),
    (re.compile(r"\b([Bb]asic)\s+(?=[a-z+/]*[A-Z0-9=])[A-Za-z0-9+/=]{6,}"), rf"\1 {MASK}"),
    (re.compile(r"\b(authorization['\"]?\s*[:=]\s*).+", re.IGNORECASE), rf"\1{MASK}"),
    # Userinfo: up to the last @ before the path, for passwords are not always encoded.
    (re.compile(r"(://)[^/\s'\"]*@"), rf"\1{MASK}@"),
    # Pairs as in queries, connection strings, and mappings that are printed.
    (re.compile(rf"\b({_NAMES}=)[^\s&'\",;)]+", re.IGNORECASE), rf"\1{MASK}"),
    (
        re.compile(rf"(['\"]{_NAMES}['\"]: b?)(['\"]).{{0,8192}}?\2", re.IGNORECASE),
        rf"\1\2{MASK}\2",
    ),
    # Rows as databases quote them.
    (re.compile(r"(Failing row contains )\(.*\)", re.DOTALL), rf"\1({MASK})"),
]
# Most lines hold nothing that any rule begins with: one look instead of one for each rule.
_SUSPECT = re.compile(
    r"wh[kt]_|bearer\s|basic\s|authorization|://|=|['\"]: |Failing row", re.IGNORECASE
)
_known: set[str] = set()


def remember_secrets(values: Iterable[str | None]) -> None:
    """Take these values out of all that is redacted from now on in this process."""
    _known.update(value for value in values if value is not None and len(value) >= MIN_KNOWN)


def redacted(text: str) -> str:
    """A text without what is a secret, or stands where a secret stands."""
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, MASK)
    if not _SUSPECT.search(text):
        return text
    for pattern, mask in _RULES:
        text = pattern.sub(mask, text)
    return text
