"""Pages: newest first, filtered by field, continued by a marker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from webhook_service.errors import InvalidRequest

MAX_LIMIT = 1000
DEFAULT_LIMIT = 100
# What a list of receivers without a limit holds at most: v1.6 answered all of them.
WHOLE_LIST = 10_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page: at most ``limit`` items after ``marker``, whose fields equal ``filters``."""

    limit: int = DEFAULT_LIMIT
    marker: str | None = None
    filters: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MAX_LIMIT and not self.is_whole:
            raise InvalidRequest(f"limit must be between 1 and {MAX_LIMIT}.")

    @property
    def is_whole(self) -> bool:
        """Whether all is asked for, as far as that goes."""
        return self.limit == WHOLE_LIST


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, and the marker of the next page if there is one."""

    items: tuple[T, ...]
    next: str | None = None
