"""Findings of the doctor: what was looked at, what is wrong, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from webhook_service.errors import WebhookServiceError, with_cause
from webhook_service.telemetry.redaction import redacted


class Health(StrEnum):
    """How something is."""

    GOOD = "ok"
    DOUBTFUL = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look showed; ``said`` has what to do, where something is wrong."""

    what: str
    health: Health
    said: str


Report = Callable[[Finding], None]


def good(what: str, said: str) -> Finding:
    """Nothing is wrong."""
    return Finding(what, Health.GOOD, said)


def doubtful(what: str, said: str) -> Finding:
    """It works, but perhaps not as people think."""
    return Finding(what, Health.DOUBTFUL, said)


def broken(what: str, said: str) -> Finding:
    """It cannot work."""
    return Finding(what, Health.BROKEN, said)


@contextmanager
def looking(what: str, report: Report) -> Iterator[None]:
    """Report what the look raises as broken."""
    try:
        yield
    except WebhookServiceError as exc:
        report(broken(what, redacted(with_cause(exc))))
