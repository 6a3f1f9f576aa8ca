"""A figure: what was measured, several times, and the target it is held against."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """``values`` are in ``unit``, and should stay below ``limit`` or reach ``floor``."""

    name: str
    unit: str
    values: Sequence[float]
    limit: float | None = None
    floor: float | None = None

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
            "floor": self.floor,
        }

    def as_row(self) -> str:
        target = "" if self.limit is None else f"< {self.limit:g}"
        target = target if self.floor is None else f">= {self.floor:g}"
        span = f"{_short(min(self.values))} - {_short(max(self.values))}"
        return f"{self.name:<52} {_short(self.median):>8} {self.unit:<8} {span:>19} {target:>8}"


def repeat(measure: Callable[[], float], times: int = 5) -> list[float]:
    """Measure once to warm the caches, then ``times`` times."""
    measure()
    return [measure() for _ in range(times)]


def ratios(
    name: str, these: Sequence[float], those: Sequence[float], **target: float | None
) -> Figure:
    """How many times those figures these are, pair by pair: each pair was measured in one turn."""
    pairs = zip(these, those, strict=True)
    return Figure(name, "x", [this / that for this, that in pairs], **target)


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
