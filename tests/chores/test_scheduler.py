"""The scheduler: chores are done in turns, in small steps, and never stop the host."""

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import SECRET, make_service, sqlite_url, wait_for
from webhook_service.chores import scheduler as module
from webhook_service.chores.retention import housekeeping
from webhook_service.chores.scheduler import MAX_STEPS, Scheduler
from webhook_service.errors import StoreUnavailable
from webhook_service.service import WebhookService
from webhook_service.settings import Settings, load_settings
from webhook_service.store.retention import ChoreStep
from webhook_service.store.store import Store, open_store
from webhook_service.telemetry.observer import ChoreFailed, Happening, Observer


class Counting:
    """A chore of so many steps."""

    name = "counting"
    every = 3600.0

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.seen: list[str] = []

    def step(self, cursor: str) -> ChoreStep:
        self.seen.append(cursor)
        place = int(cursor or 0) + 1
        done = place >= self.steps
        return ChoreStep("" if done else str(place), done, 1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(load_settings(database_url=sqlite_url(tmp_path), secret_key=SECRET))
    yield store
    store.close()


def scheduler(store: Store, *chores: object) -> Scheduler:
    return Scheduler(store.chores, chores, look=0.01, pause=0)  # type: ignore[arg-type]


def test_a_chore_is_done_to_its_end_and_then_rests(store: Store) -> None:
    chore = Counting(3)
    for _ in range(2):
        scheduler(store, chore).run_due()
    assert chore.seen == ["", "1", "2"]


def test_a_long_chore_lets_others_have_their_turn(store: Store) -> None:
    long, short = Counting(MAX_STEPS + 2), Counting(1)
    short.name = "short"
    scheduler(store, long, short).run_due()
    assert (len(long.seen), len(short.seen)) == (MAX_STEPS, 1)
    scheduler(store, long, short).run_due()
    assert long.seen[MAX_STEPS:] == ["500", "501"] and len(short.seen) == 1


def test_two_schedulers_share_the_work(store: Store) -> None:
    chore = Counting(1)
    schedulers = [scheduler(store, chore) for _ in range(2)]
    threads = [threading.Thread(target=each.run_due) for each in schedulers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert chore.seen == [""]


def test_a_failing_chore_is_logged_and_tried_again(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Counting):
        def step(self, cursor: str) -> ChoreStep:
            super().step(cursor)
            store.chores.put_back(self.name, "", 0)  # as if its lease had ended
            raise StoreUnavailable("The database is away.")

    chore = Failing(1)
    running = scheduler(store, chore)
    with caplog.at_level(logging.WARNING):
        running.start()
        wait_for(lambda: len(chore.seen) >= 2)
        running.stop()
    assert "The database is away." in caplog.text


def test_a_step_that_hangs_is_left_behind_and_keeps_no_other_chore_waiting(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Hanging(Counting):
        name = "a-hanging-one"  # taken before the other one

        def step(self, cursor: str) -> ChoreStep:
            released.wait(30)
            return super().step(cursor)

    released = threading.Event()
    monkeypatch.setattr(module, "STEP", replace(module.STEP, seconds=0.05))
    hanging, other = Hanging(1), Counting(1)
    running = scheduler(store, hanging, other)
    with caplog.at_level(logging.WARNING):
        running.run_due()
    assert other.seen == [""] and hanging.seen == []
    assert "The chore a-hanging-one goes on when it is due again" in caplog.text
    assert "it hangs in wait (" in caplog.text
    released.set()
    assert wait_for(lambda: hanging.seen == [""])


def test_stopping_leaves_the_rest_for_another_host(store: Store) -> None:
    first = Counting(10)
    stopping = scheduler(store, first)
    step = first.step

    def stop_after(cursor: str) -> ChoreStep:
        stopping.stop()
        return step(cursor)

    first.step = stop_after  # type: ignore[method-assign]
    stopping.run_due()
    assert first.seen == [""]
    second = Counting(10)
    scheduler(store, second).run_due()
    assert second.seen[0] == "1"


ALWAYS = {"approvals", "keys"}


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({}, {*ALWAYS, "audit", "bodies", "executions", "deliveries", "slots"}),
        ({"keep_bodies_days": 0, "keep_history_days": 0}, {*ALWAYS, "audit"}),
        ({"keep_bodies_days": 0, "keep_history_days": 0, "keep_audit_days": 0}, ALWAYS),
    ],
)
def test_the_settings_say_what_is_removed(
    store: Store, fields: dict[str, int], names: set[str]
) -> None:
    chores = housekeeping(store, Settings(**fields))  # type: ignore[arg-type]
    own = {"checkpoint"} if store.database.is_sqlite else set()
    assert {chore.name for chore in chores} == names | own
    assert [chore.step("").done for chore in chores] == [True] * len(chores)


def test_the_service_does_its_chores(tmp_path: Path) -> None:
    service: WebhookService = make_service(sqlite_url(tmp_path))
    chore = Counting(1)
    service.do_chores([chore], look=0.01)
    with service:
        assert wait_for(lambda: chore.seen) == [""]


class Ending:
    """A chore that ends its process whenever it is done."""

    name = "ending"
    every = 0.0

    def step(self, cursor: str) -> ChoreStep:
        raise SystemExit(3)


class Noting(Observer):
    def __init__(self) -> None:
        self.told: list[Happening] = []

    def tell(self, happening: Happening) -> None:
        self.told.append(happening)


def test_a_chore_that_fails_is_counted_and_keeps_no_other_from_its_turn(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    other, noting = Counting(1), Noting()
    Scheduler(store.chores, [Ending(), other], observer=noting).run_due()
    assert other.seen == [""]
    assert noting.told == [ChoreFailed("ending")]
    assert "The chore ending failed" in caplog.text
