"""What a registry asks for with a 401: the header ``WWW-Authenticate`` (RFC 9110, 11.6.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_HEADER = 8192
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PART = re.compile(rf'({_TOKEN})(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?')
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to authenticate; scheme and names are lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def read_challenges(header: str) -> tuple[Challenge, ...]:
    """All that the header offers, as far as it can be read."""
    found: list[tuple[str, dict[str, str]]] = []
    for part in _PART.finditer(header[:MAX_HEADER]):
        name, quoted, plain = part.groups()
        if quoted is None and plain is None:
            found.append((name.lower(), {}))
        elif found:
            value = plain if quoted is None else _ESCAPE.sub(r"\1", quoted)
            found[-1][1].setdefault(name.lower(), value)
    return tuple(Challenge(scheme, parameters) for scheme, parameters in found)
