"""A figure: what was measured, several times, and what it should stay below."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """``values`` are in ``unit``; ``limit`` is the target, in the same unit."""

    name: str
    unit: str
    values: Sequence[float]
    limit: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "unit": self.unit,
            "median": round(self.median, 4),
            "min": round(min(self.values), 4),
            "max": round(max(self.values), 4),
            "limit": self.limit,
        }

    def as_row(self) -> str:
        limit = "" if self.limit is None else f"< {self.limit:g}"
        span = f"{min(self.values):.3g} - {max(self.values):.3g}"
        return f"{self.name:<44} {self.median:>8.3g} {self.unit:<4} {span:>16} {limit:>8}"


def repeat(measure: Callable[[], float], times: int = 5) -> list[float]:
    """Measure once to warm the caches, then ``times`` times."""
    measure()
    return [measure() for _ in range(times)]
