"""Any sequence of pushes, claims, crashes and interventions keeps the order of each slot."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Row, text

from tests.store.builders import accept, add_receiver, work
from tests.support import PROJECT, SECRET, sqlite_url
from webhook_service.model.delivery import Work
from webhook_service.model.execution import ENDED, Claim, ExecutionState, Verdict
from webhook_service.model.ids import EXECUTION, new_id
from webhook_service.settings import load_settings
from webhook_service.store.queue.queue import Fenced, Queue
from webhook_service.store.store import Store, open_store
from webhook_service.store.tables import micros

WORKERS = 3
SLOTS = ("a", "b")
LEASE = 30.0
ROWS = text(
    "SELECT id, slot, state, settled, ordered, seq, due, fence, attempt, interruption "
    "FROM executions WHERE slot LIKE :of"
)
COUNTS = text("SELECT state, count(*) FROM executions GROUP BY state")
MARKS = text("SELECT slot, ordered, seq FROM slots WHERE slot LIKE :of")
OUTCOMES = (
    Verdict(ExecutionState.SUCCEEDED, "done"),
    Verdict(ExecutionState.FAILED, "broken"),
    Verdict(ExecutionState.RETRYING, "API down", pause=5),
    Verdict(ExecutionState.WAITING, "rolling", pause=2, settled=False),
    Verdict(ExecutionState.WAITING, "deployed", pause=2, settled=True),
)
Place = tuple[int, int]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(load_settings(database_url=sqlite_url(tmp_path), secret_key=SECRET))
    yield store
    store.close()


class OrderMachine(RuleBasedStateMachine):
    """What may happen to a service; the invariants are what it promises about order."""

    store: Store
    receiver: str
    numbers = count()

    @initialize()
    def begin(self) -> None:
        self.run_number = next(self.numbers)
        # Ahead of the real time, at which pushes are received, and standing still between rules.
        self.time = datetime.now(UTC) + timedelta(hours=1)
        self.claims = Queue(self.store.database, LEASE, lambda: self.time)
        self.workers: list[Claim] = []
        self.lost: list[Claim] = []
        self.pushes: list[Work] = []
        self.ended: dict[str, str] = {}
        self.newest_run: dict[str, Place] = {}

    @property
    def rows(self) -> dict[str, Row[Any]]:
        return {row.id: row for row in self.read(ROWS)}

    def read(self, query: Any) -> list[Row[Any]]:
        with self.store.database.read() as connection:
            return list(connection.execute(query, {"of": f"{PROJECT}/{self.run_number}-%"}))

    @rule(slot=st.sampled_from(SLOTS), late=st.sampled_from((0, 0, 1, 3)))
    def push(self, slot: str, late: int) -> None:
        """Most are newer than all before; some were sent long ago, or in the same second."""
        push = work(at=len(self.pushes) - late, slot=f"{self.run_number}-{slot}")
        assert accept(self.store, self.receiver, push).state == "accepted"
        self.pushes.append(push)

    @precondition(lambda self: self.pushes)
    @rule(data=st.data())
    def push_again(self, data: st.DataObject) -> None:
        """A sender repeats itself: nothing new comes of it."""
        first = data.draw(st.sampled_from(self.pushes))
        before = set(self.rows)
        copy = work(slot=first.slot, identity=first.identity)
        assert accept(self.store, self.receiver, copy).executions == (first.execution,)
        assert set(self.rows) == before

    @precondition(lambda self: len(self.workers) < WORKERS)
    @rule()
    def claim(self) -> None:
        before, may_run = self.rows, self.claimable()
        claims = self.claims.claim(1)
        assert bool(claims) == bool(may_run)
        for claim in claims:
            row = before[claim.execution.id]
            assert row.id in may_run
            place = (row.ordered, row.seq)
            assert place >= self.newest_run.get(row.slot, place), "an older push over a newer one"
            self.newest_run[row.slot] = place
            self.workers.append(claim)

    def claimable(self) -> set[str]:
        """What the promises let run now: of each free slot the newest, unless a newer one ran."""
        now = micros(self.time)
        rows = list(self.rows.values())
        marks = {mark.slot: (mark.ordered, mark.seq) for mark in self.read(MARKS)}
        found = set()
        for slot in {row.slot for row in rows}:
            inside = [row for row in rows if row.slot == slot]
            pending = [row for row in inside if row.state in ("queued", "held", "retrying")]
            waiting = [row for row in pending if not row.settled]
            newest = max(waiting, key=lambda row: (row.ordered, row.seq), default=None)
            active = [row for row in inside if _is_active(row)]
            found |= {row.id for row in active if row.state == "waiting" and row.due <= now}
            if active:
                found |= {row.id for row in active if _gives_way(row, newest, now)}
                continue
            if newest is not None and (newest.ordered, newest.seq) >= marks.get(slot, (0, 0)):
                found |= {newest.id} if newest.due <= now else set()
            settled = [row for row in inside if row.settled and row.due and row.due <= now]
            if not (newest is not None and newest.id in found):
                found |= {row.id for row in settled}
        return found

    @precondition(lambda self: self.workers)
    @rule(verdict=st.sampled_from(OUTCOMES))
    def record(self, verdict: Verdict) -> None:
        self.store_result(self.workers.pop(0), verdict)

    @precondition(lambda self: self.workers)
    @rule()
    def die(self) -> None:
        """A worker is gone, or only away for longer than its lease."""
        self.lost.append(self.workers.pop(0))

    @precondition(lambda self: self.lost)
    @rule(verdict=st.sampled_from(OUTCOMES))
    def come_back(self, verdict: Verdict) -> None:
        """A worker that was away reports what it did long ago."""
        self.store_result(self.lost.pop(), verdict)

    def store_result(self, claim: Claim, verdict: Verdict) -> None:
        row = self.rows[claim.execution.id]
        valid = row.state == "running" and row.fence == claim.fence
        try:
            self.claims.record(claim, verdict)
        except Fenced:
            assert not valid
        else:
            assert valid

    @rule()
    def sweep(self) -> None:
        """A lease goes by; those who live renew theirs."""
        self.time += timedelta(seconds=LEASE + 1)
        self.claims.renew(self.workers)
        self.claims.sweep()

    @rule(seconds=st.integers(1, 6))
    def wait(self, seconds: int) -> None:
        self.time += timedelta(seconds=seconds)

    @precondition(lambda self: self.ended)
    @rule(data=st.data(), as_of=st.booleans())
    def replay(self, data: st.DataObject, as_of: bool) -> None:
        old = data.draw(st.sampled_from(list(self.ended)))
        self.store.replays.replay(PROJECT, old, new_id(EXECUTION), as_of)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        rows = sorted(self.rows.values(), key=lambda row: row.seq)
        if open_ := [row.id for row in rows if row.state not in ENDED]:
            self.store.executions.cancel(PROJECT, data.draw(st.sampled_from(open_)), force=True)

    @precondition(lambda self: self.begun())
    @rule(data=st.data())
    def abort(self, data: st.DataObject) -> None:
        """People want back what was before: whatever waits goes back at once."""
        asked = data.draw(st.sampled_from(self.begun()))
        self.store.executions.abort(PROJECT, asked)
        now = self.rows[asked]
        assert now.state not in ENDED and now.interruption == "abort"
        assert now.state == "running" or now.due <= micros(self.time)

    def begun(self) -> list[str]:
        rows = sorted(self.rows.values(), key=lambda row: row.seq)
        return [row.id for row in rows if row.attempt and row.state not in ENDED]

    @invariant()
    def one_is_active_in_each_slot(self) -> None:
        active = [row.slot for row in self.rows.values() if _is_active(row)]
        assert len(active) == len(set(active))

    @invariant()
    def nothing_is_lost_and_what_has_ended_stays_so(self) -> None:
        rows = self.rows
        assert {push.execution for push in self.pushes} <= set(rows)
        assert {id_: rows[id_].state for id_ in self.ended} == self.ended
        self.ended |= {row.id: row.state for row in rows.values() if row.state in ENDED}

    def teardown(self) -> None:
        """All that is open comes to an end once the workers do their work."""
        self.workers.clear()
        for _ in range(100):
            self.sweep()
            for claim in self.claims.claim(WORKERS):
                self.claims.record(claim, OUTCOMES[0])
            if all(row.state in ENDED for row in self.rows.values()):
                return
        raise AssertionError("something never ended")


def _gives_way(row: Row[Any], newest: Row[Any] | None, now: int) -> bool:
    """Whether what waits is asked to stop for a newer push that may run."""
    if newest is None or newest.due > now or row.state != "waiting":
        return False
    is_newer = (newest.ordered, newest.seq) > (row.ordered, row.seq)
    return is_newer and row.interruption != "abort"


def _is_active(row: Row[Any]) -> bool:
    return row.state == "running" or (row.state == "waiting" and not row.settled)


@pytest.mark.timeout(3600)
def test_any_sequence_of_events_keeps_the_order_of_each_slot(store: Store, long: bool) -> None:
    receiver, _ = add_receiver(store)
    machine = type("Machine", (OrderMachine,), {"store": store, "receiver": receiver})
    examples, steps = (1000, 100) if long else (60, 50)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink] if long else [Phase.generate],
        ),
    )
    with store.database.read() as connection:
        ends = dict(connection.execute(COUNTS).all())
    assert set(ends) == {"succeeded", "failed", "superseded", "cancelled"}
    assert sum(ends.values()) > examples
