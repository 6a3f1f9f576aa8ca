"""One clock per database: what this host's own says does not count."""

import logging
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from tests.servers.postgres import Postgres
from tests.store.builders import accept, add_receiver, work
from tests.store.queue.claiming import claim_one
from tests.support import SECRET
from webhook_service.settings import load_settings
from webhook_service.store import migrate
from webhook_service.store.database import clock as clock_module
from webhook_service.store.database import database as database_module
from webhook_service.store.database.clock import FRESH, DatabaseClock
from webhook_service.store.database.database import Database
from webhook_service.store.store import Store, open_store

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = 3600.0


class World:
    """A host with a clock of its own, and a database that is asked over a line."""

    dialect = SimpleNamespace(name="postgresql")

    def __init__(self) -> None:
        self.steady, self.ahead, self.server_ahead = 1000.0, 0.0, 0.0
        self.way = (0.0, 0.0)
        self.asked = 0
        self.clock = DatabaseClock(10.0, lambda: self.steady, self.wall)

    def wall(self) -> float:
        return NOON.timestamp() + self.steady + self.ahead

    def true(self) -> datetime:
        return NOON + timedelta(seconds=self.steady + self.server_ahead)

    def execute(self, _: object) -> Any:
        self.asked += 1
        self.steady += self.way[0]
        told = self.true()
        self.steady += self.way[1]
        return SimpleNamespace(scalar_one=lambda: told)

    def off(self) -> float:
        return abs((self.clock.now() - self.true()).total_seconds())

    def keep(self) -> None:
        self.clock.keep(self)  # type: ignore[arg-type]


@pytest.mark.parametrize("ahead", [60.0, -60.0, 365 * 24 * HOUR])
def test_the_time_is_the_databases_however_far_the_host_is_off(ahead: float) -> None:
    world = World()
    world.ahead = ahead
    world.keep()
    world.steady += 5
    assert world.off() < 0.001


def test_a_leap_of_the_hosts_clock_changes_nothing_and_makes_it_ask_again() -> None:
    world = World()
    world.keep()
    world.ahead += HOUR
    assert world.off() < 0.001
    world.keep()
    assert world.off() < 0.001
    assert world.asked == 2


def test_a_machine_that_slept_learns_the_time_before_its_next_write() -> None:
    world = World()
    world.keep()
    # Its clock goes on while it sleeps, and the steady one does not.
    world.ahead += HOUR
    world.server_ahead += HOUR
    world.keep()
    assert world.off() < 0.001


def test_the_database_is_asked_every_few_seconds_and_not_at_each_write() -> None:
    world = World()
    for _ in range(100):
        world.keep()
        world.steady += FRESH / 10
    assert 8 <= world.asked <= 11


def test_after_a_failure_the_next_server_is_asked() -> None:
    world = World()
    world.keep()
    world.server_ahead = 7.0
    world.clock.distrust()
    world.keep()
    assert world.off() < 0.001


def test_a_slow_answer_does_not_move_what_is_known_better() -> None:
    world = World()
    world.keep()
    world.way, world.steady = (4.0, 0.5), world.steady + 2 * FRESH
    world.keep()
    assert world.off() < 0.001


def test_a_first_slow_answer_is_set_right_by_the_next_one() -> None:
    world = World()
    world.way = (4.0, 2.0)
    world.keep()
    assert world.off() == pytest.approx(1.0)
    world.way, world.steady = (0.0, 0.0), world.steady + 2 * FRESH
    world.keep()
    assert world.off() < 0.001


def test_a_clock_that_is_off_is_told_when_it_changes_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, clock_module.log.name)
    world = World()
    for world.ahead in (0.0, 9.0, 60.0, 60.0, 61.0, 9.0, 11.0, 9.0, 1.0, 1.0, -60.0):
        world.keep()
        world.steady += 2 * FRESH
    told = [record.getMessage().split(".")[0] for record in caplog.records]
    assert told == [
        "This host's clock is 60 s ahead of the database's",
        "This host's clock agrees with the database's again",
        "This host's clock is 60 s behind the database's",
    ]


@pytest.fixture
def skewed(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> tuple[Store, Store]:
    """Two hosts of one database; the second one's clock is a minute ahead."""
    url = postgres.new_database()
    database = Database(url)
    migrate.upgrade(database)
    database.close()
    settings = load_settings(database_url=url, secret_key=SECRET)
    right = open_store(settings)
    fast = partial(DatabaseClock, wall=lambda: time.time() + 60)
    monkeypatch.setattr(database_module, "DatabaseClock", fast)
    return right, open_store(settings)


def test_a_host_with_another_clock_takes_nothing_back_and_waits_for_nothing(
    skewed: tuple[Store, Store],
) -> None:
    right, ahead = skewed
    assert abs((right.now() - ahead.now()).total_seconds()) < 1
    receiver, _ = add_receiver(right)
    push = work("1")
    accept(right, receiver, push)
    claim = claim_one(right)
    assert ahead.claims.sweep() == 0
    ahead.claims.give_up([claim], "lost", "worker_lost")
    assert claim_one(right).execution.id == push.execution
    assert right.chores.take("a", 30) is not None
    assert ahead.chores.take("a", 30) is None
    for store in skewed:
        store.close()
