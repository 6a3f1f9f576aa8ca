from datetime import UTC, datetime, timedelta

import pytest

from webhook_service.store.queue.clock import ClockWatch

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Steady:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize(
    ("shown", "went_back"),
    [(10.0, False), (3610.0, False), (9.5, False), (5.0, True), (-3590.0, True)],
)
def test_a_step_back_is_seen_and_nothing_else(shown: float, went_back: bool) -> None:
    steady = Steady()
    watch = ClockWatch(steady)
    watch.went_back(NOON)
    steady.seconds += 10
    assert watch.went_back(NOON + timedelta(seconds=shown)) is went_back


def test_the_first_look_cannot_know() -> None:
    watch = ClockWatch(Steady())
    assert [watch.went_back(NOON), watch.went_back(NOON)] == [True, False]
