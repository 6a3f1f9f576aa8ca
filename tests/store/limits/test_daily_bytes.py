from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from webhook_service.errors import LimitReached
from webhook_service.store import migrate
from webhook_service.store.database.database import Database
from webhook_service.store.limits.daily_bytes import STEP, DailyBytes
from webhook_service.store.limits.limits import Limits
from webhook_service.store.tables import stored_bytes

LIMITS = Limits(receiver_bytes_per_day=1000, project_bytes_per_day=2000)
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


def _settle(database: Database) -> None:
    """All writes that were begun are committed, and what they led to is known."""
    for _ in range(2):
        database.write(lambda connection: None)


def _rows(database: Database) -> dict[tuple[str, str], int]:
    with database.read() as connection:
        return {(str(row.day), row.owner): row.size for row in connection.execute(_ALL)}


_ALL = select(stored_bytes)


def test_a_receiver_is_refused_when_it_has_stored_its_bytes_of_the_day(database: Database) -> None:
    counts = DailyBytes(database, LIMITS, Clock())
    counts.add("shop", "rcv_a", 999)
    counts.require_room("shop", "rcv_a")
    counts.add("shop", "rcv_a", 1)
    with pytest.raises(LimitReached, match=r"receiver.* 1000 bytes.*again at 2026-11-27T00:00Z"):
        counts.require_room("shop", "rcv_a")
    counts.require_room("shop", "rcv_b")


def test_a_project_is_refused_with_all_of_its_receivers_and_no_other_is(database: Database) -> None:
    counts = DailyBytes(database, LIMITS, Clock())
    for receiver in ("rcv_a", "rcv_b", "rcv_c"):
        counts.add("shop", receiver, 700)
    with pytest.raises(LimitReached, match="PROJECT_BYTES_PER_DAY"):
        counts.require_room("shop", "rcv_new")
    counts.require_room("other", "rcv_other")


def test_it_goes_on_at_midnight_when_the_refusal_said_so(database: Database) -> None:
    clock = Clock()
    counts = DailyBytes(database, LIMITS, clock)
    counts.add("shop", "rcv_a", 1000)
    with pytest.raises(LimitReached) as caught:
        counts.require_room("shop", "rcv_a")
    clock.now += timedelta(seconds=caught.value.retry_after)
    counts.require_room("shop", "rcv_a")


def test_a_host_learns_what_another_one_has_stored(database_url: str, database: Database) -> None:
    other = Database(database_url)
    here, there = DailyBytes(database, LIMITS, Clock()), DailyBytes(other, LIMITS, Clock())
    here.add("shop", "rcv_a", 600)
    _settle(database)
    there.add("shop", "rcv_a", 300)
    there.require_room("shop", "rcv_a")
    _settle(other)
    there.add("shop", "rcv_a", 100)
    with pytest.raises(LimitReached):
        there.require_room("shop", "rcv_a")
    other.close()


def test_a_host_that_starts_learns_what_was_stored_before(database: Database) -> None:
    DailyBytes(database, LIMITS, Clock()).add("shop", "rcv_a", 1000)
    _settle(database)
    started = DailyBytes(database, LIMITS, Clock())
    started.add("shop", "rcv_a", 10)
    _settle(database)
    with pytest.raises(LimitReached):
        started.require_room("shop", "rcv_a")


def test_small_calls_write_nothing_more_until_they_are_a_step(database: Database) -> None:
    counts = DailyBytes(database, Limits(receiver_bytes_per_day=1 << 40), Clock())
    for _ in range(3):
        counts.add("shop", "rcv_a", STEP // 4)
    _settle(database)
    assert _rows(database) == {}
    counts.add("shop", "rcv_a", STEP // 4)
    _settle(database)
    assert _rows(database) == {("2026-11-26", "rcv_a"): STEP}


def test_counts_of_earlier_days_are_removed(database: Database) -> None:
    clock = Clock()
    counts = DailyBytes(database, LIMITS, clock)
    counts.add("shop", "rcv_a", 500)
    _settle(database)
    clock.now += timedelta(days=2)
    counts.add("shop", "rcv_a", 500)
    _settle(database)
    assert {day for day, _ in _rows(database)} == {"2026-11-28"}


def test_a_count_that_was_not_written_is_written_with_the_next_one(empty_url: str) -> None:
    database = Database(empty_url)  # without tables yet: the write fails
    counts = DailyBytes(database, LIMITS, Clock())
    counts.add("shop", "rcv_a", 400)
    _settle(database)
    migrate.upgrade(database)
    counts.add("shop", "rcv_a", 300)
    _settle(database)
    assert _rows(database)["2026-11-26", "rcv_a"] == 700
    counts.require_room("shop", "rcv_a")
    database.close()


def test_without_limits_nothing_is_counted(database: Database) -> None:
    counts = DailyBytes(database, Limits(), Clock())
    counts.add("shop", "rcv_a", 1 << 40)
    counts.require_room("shop", "rcv_a")
    _settle(database)
    assert _rows(database) == {}
