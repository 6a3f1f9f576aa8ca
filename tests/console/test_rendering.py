from datetime import UTC, datetime

import pytest

from webhook_service.console.rendering import clock

NOON = datetime(2026, 11, 26, 12, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "shown"),
    [
        (NOON.replace(hour=23), "12:00:05"),
        (NOON.replace(day=27, hour=1), "26 Nov 12:00"),
        (NOON.replace(year=2027), "2026-11-26"),
    ],
)
def test_a_time_says_its_day_unless_that_is_today(now: datetime, shown: str) -> None:
    assert clock(NOON, now) == shown
