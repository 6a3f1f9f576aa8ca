"""Links: every URL in an answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

PREFIX = "/v1-webhooks"
# What needs no quoting, which is nearly everything: ids, keys, projects.
_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_.~/-]*")


@dataclass(frozen=True, slots=True)
class Links:
    """URLs below one base address; with a project, each one names it.

    Args:
        base: scheme, host and mount point, without a slash at the end.
    """

    base: str
    project: str | None = None

    def to(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """The URL of a path below ``/v1-webhooks``."""
        return self.at(f"{PREFIX}{path}", query)

    def at(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """The URL of a whole path."""
        fields = dict(query or {})
        if self.project is not None:
            fields["projectId"] = self.project
        return self.bare(path) + (f"?{_encoded(fields)}" if fields else "")

    def bare(self, path: str) -> str:
        """The URL of a whole path, without project, as errors carry it."""
        return self.base + (path if _PLAIN_PATH.fullmatch(path) else quote(path))

    @property
    def schemas(self) -> str:
        return self.bare(f"{PREFIX}/schemas")


def _encoded(fields: Mapping[str, str]) -> str:
    if all([_PLAIN.fullmatch(text) for field in fields.items() for text in field]):
        return "&".join([f"{name}={value}" for name, value in fields.items()])
    return urlencode(fields, quote_via=quote)
