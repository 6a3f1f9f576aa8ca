"""The figures of all limits on what is stored."""

from __future__ import annotations

from dataclasses import dataclass

from webhook_service.settings import Settings


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be stored; 0 is no limit. Each field is a setting of the same name."""

    receiver_bytes_per_day: int = 0
    project_bytes_per_day: int = 0
    max_receivers: int = 0
    max_tokens: int = 0
    max_open_executions: int = 0
    min_free_bytes: int = 0


def limits_of(settings: Settings) -> Limits:
    """The limits that the settings say."""
    return Limits(**{name: getattr(settings, name) for name in Limits.__slots__})
