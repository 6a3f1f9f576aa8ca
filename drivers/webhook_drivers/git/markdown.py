"""Texts of other people in the Markdown of a pull request.

Whoever pushes an image chooses them: they must not become links, mentions or cells of a table.
Source: CommonMark 0.31, "Backslash escapes" and "Links"; GitHub Flavored Markdown, "Tables".
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

_MARKS = re.compile(r"([\\`*_{}\[\]<>|#@&~])")
# What may stand in a URL (RFC 3986) and ends no link; all else is quoted.
_OF_URLS = ":/?#@!$&'*+,;=%-._~"


def plain(value: str | None) -> str | None:
    """The text as it is to be read, in one line; None if there is none."""
    return _MARKS.sub(r"\\\1", " ".join(value.split())) if value else None


def link(url: str | None) -> str | None:
    """A link to a web page, which shows where it leads; None for anything else.

    What stands before an ``@`` could be taken for the host: such a URL is no link either.
    """
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        return None
    target = quote(url or "", safe=_OF_URLS).replace("&", "&amp;")
    return f"[{plain(url)}]({target})"


def in_bytes(size: int | None) -> str | None:
    """A number of bytes as people read it, such as ``73.4 MB``."""
    if size is None:
        return None
    amount = float(size)
    for unit in ("B", "kB", "MB"):
        if amount < 999.5:  # more is shown as a thousand
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:,.1f} GB"
