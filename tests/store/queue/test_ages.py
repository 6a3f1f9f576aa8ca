"""A push is held until its image is old enough: the newest that is runs, and people may hurry."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.store.builders import NOW, accept, work
from tests.store.queue.claiming import DONE, Clock, read
from tests.support import PROJECT
from webhook_service.driver import ImageFacts
from webhook_service.errors import InvalidRequest, NotFound
from webhook_service.model.delivery import Work
from webhook_service.model.execution import ExecutionState, Verdict
from webhook_service.model.ids import EXECUTION, RECEIVER, new_id, new_key
from webhook_service.model.pages import PageRequest
from webhook_service.model.people.audit import Actor, AuditAction
from webhook_service.model.people.hold import HOLD, Hold
from webhook_service.model.receiver import After, Freeze, Match, Receiver, ReceiverSpec
from webhook_service.store.queue.age import birth, told_age
from webhook_service.store.queue.queue import Queue
from webhook_service.store.store import Store

ANN = Actor("ann")
HOUR = 3600.0


def receiver_of(store: Store, **match: Any) -> Receiver:
    rules = Match(**{"minimum_age": "72h", **match})
    spec = ReceiverSpec(name="shop", driver="stub", match=rules)
    receiver = Receiver(new_id(RECEIVER), PROJECT, spec, NOW, NOW)
    store.receivers.add(receiver, new_key())
    return receiver


def pushed(store: Store, receiver: Receiver, tag: str, at: float = 0) -> Work:
    push = work(tag, at=at)
    accept(store, receiver.id, push)
    return push


def answer(store: Store, push: Work, hours_old: float | None) -> None:
    """The registry's word: how old the image was when it was pushed."""
    found = read(store, push)
    created = None
    if hours_old is not None:
        created = (found.created - timedelta(hours=hours_old)).isoformat()
    facts = ImageFacts(created=created)
    store.ages.answered(push.execution, replace(push.event, facts=facts))


def young(
    store: Store, queue: Queue, receiver: Receiver, tag: str, at: float, hours: float
) -> Work:
    """A push that is held because its image is so many hours old."""
    push = pushed(store, receiver, tag, at)
    assert queue.claim(10) == []
    answer(store, push, hours)
    return push


def claimed(queue: Queue) -> list[str]:
    return [claim.execution.id for claim in queue.claim(10)]


def state(store: Store, push: Work) -> tuple[str, str | None]:
    found = read(store, push)
    return found.state.value, found.reason


def test_a_push_is_held_until_its_image_is_old_enough(
    store: Store, queue: Queue, clock: Clock
) -> None:
    push = pushed(store, receiver_of(store), "1")
    assert claimed(queue) == []
    found = read(store, push)
    assert (found.state, found.reason, found.due) == ("held", "minimum_age", None)
    assert "its registry is asked now" in found.message
    answer(store, push, 70)
    assert claimed(queue) == []
    found = read(store, push)
    assert found.due is not None
    assert found.due - found.created == timedelta(hours=2)
    assert "2 days 22 h before its push" in found.message
    assert f"goes on at {found.due:%Y-%m-%d %H:%M:%S} UTC" in found.message
    assert f"execution release {push.execution} --project {PROJECT}" in found.message
    clock.wait(2 * HOUR)
    assert claimed(queue) == [push.execution]


def test_an_image_that_is_old_enough_runs_as_soon_as_that_is_known(
    store: Store, queue: Queue
) -> None:
    push = young(store, queue, receiver_of(store), "1", 0, 73)
    assert claimed(queue) == [push.execution]


@pytest.mark.parametrize(
    "created", [None, "1970-01-01T00:00:00Z", "1980-01-01T00:00:01Z", "2999-01-01T00:00:00Z", "?"]
)
def test_an_image_that_does_not_say_its_age_is_as_old_as_its_push(created: str | None) -> None:
    event = replace(work("1").event, facts=ImageFacts(created=created))
    received = datetime(2026, 11, 27, 12, tzinfo=UTC)
    assert birth(event, received) == (received, False)
    told = told_age(event, received, "3d", received + timedelta(days=3))
    assert "does not say when it was built: its age counts from its push" in told


def test_fractions_and_zones_of_builders_are_read() -> None:
    facts = ImageFacts(created="2026-11-27T12:30:00.123456789+02:00")
    received = datetime(2026, 11, 27, 12, tzinfo=UTC)
    found = birth(replace(work("1").event, facts=facts), received)
    assert found == (datetime(2026, 11, 27, 10, 30, 0, 123456, UTC), True)


def test_the_newest_that_is_old_enough_runs_and_a_younger_one_ends_nothing(
    store: Store, queue: Queue, clock: Clock
) -> None:
    receiver = receiver_of(store)
    first = young(store, queue, receiver, "1", 1, 70)
    assert claimed(queue) == []
    second = young(store, queue, receiver, "2", 2, 48)
    assert claimed(queue) == []
    assert state(store, first) == ("held", "minimum_age")
    clock.wait(2 * HOUR + 1)
    (claim,) = queue.claim(10)
    assert claim.execution.id == first.execution
    queue.record(claim, DONE)
    assert state(store, second) == ("held", "minimum_age")
    clock.wait(22 * HOUR)
    assert claimed(queue) == [second.execution]


def test_of_two_that_are_old_enough_the_newer_runs_alone(
    store: Store, queue: Queue, clock: Clock
) -> None:
    receiver = receiver_of(store)
    first = young(store, queue, receiver, "1", 1, 70)
    second = young(store, queue, receiver, "2", 2, 60)
    assert claimed(queue) == []
    clock.wait(72 * HOUR)
    assert claimed(queue) == [second.execution]
    assert state(store, first)[0] == "superseded"


def test_a_rollout_under_way_does_not_give_way_to_an_image_that_is_too_young(
    store: Store, queue: Queue, clock: Clock
) -> None:
    receiver = receiver_of(store)
    old = young(store, queue, receiver, "1", 1, 100)
    (claim,) = queue.claim(10)
    queue.record(claim, Verdict(ExecutionState.WAITING, "rolling", pause=60))
    waits = pushed(store, receiver, "2", 2)
    assert claimed(queue) == []
    assert read(store, old).interruption is None
    assert state(store, waits) == ("held", "minimum_age")
    answer(store, waits, 0)
    assert claimed(queue) == []
    assert read(store, old).interruption is None
    store.releases.release(PROJECT, waits.execution, ANN)
    queue.claim(10)
    assert read(store, old).interruption == "newer"


def test_a_person_lets_an_execution_through_and_the_record_says_who(
    store: Store, queue: Queue
) -> None:
    receiver = receiver_of(store)
    older = young(store, queue, receiver, "1", 1, 1)
    fix = pushed(store, receiver, "2", 2)
    assert claimed(queue) == []
    assert store.releases.release(PROJECT, fix.execution, ANN).let_through == "ann"
    assert claimed(queue) == [fix.execution]
    assert state(store, older)[0] == "superseded"
    with pytest.raises(InvalidRequest, match="it is running"):
        store.releases.release(PROJECT, fix.execution, ANN)
    with pytest.raises(NotFound):
        store.releases.release("1a6", fix.execution, ANN)


@pytest.mark.parametrize(
    "match",
    [
        {"minimum_age": None, "after": After(receiver="staging")},
        {"minimum_age": None, "freeze": (Freeze(cron="* * * * *", minutes=600),)},
    ],
    ids=["after", "freeze"],
)
def test_every_rule_of_a_receiver_can_be_passed(
    store: Store, queue: Queue, match: Mapping[str, Any]
) -> None:
    push = work("1")
    push = replace(push, held_until=NOW + timedelta(days=9)) if "freeze" in match else push
    accept(store, receiver_of(store, **match).id, push)
    assert claimed(queue) == []
    assert state(store, push)[0] == "held"
    store.releases.release(PROJECT, push.execution, ANN)
    assert claimed(queue) == [push.execution]


def test_what_holds_a_project_holds_what_was_let_through(store: Store, queue: Queue) -> None:
    push = young(store, queue, receiver_of(store), "1", 0, 1)
    store.holds.add(Hold(new_id(HOLD), PROJECT, "stop", "incident", "ann", store.now()), ANN)
    store.releases.release(PROJECT, push.execution, ANN)
    assert claimed(queue) == []
    with pytest.raises(InvalidRequest, match="project holds"):
        store.releases.release(PROJECT, push.execution, ANN)


def test_an_older_one_is_not_let_through_while_a_newer_one_would_run_instead(
    store: Store, queue: Queue
) -> None:
    frozen = NOW + timedelta(days=9)
    older, newer = (replace(work(tag, at=int(tag)), held_until=frozen) for tag in "12")
    accept(store, receiver_of(store, minimum_age=None).id, older, newer)
    with pytest.raises(InvalidRequest, match=f"release {newer.execution}, or cancel it first"):
        store.releases.release(PROJECT, older.execution, ANN)
    store.executions.cancel(PROJECT, newer.execution, ANN)
    store.releases.release(PROJECT, older.execution, ANN)
    assert claimed(queue) == [older.execution]


def test_an_image_that_comes_of_age_in_a_freeze_waits_for_its_end(
    store: Store, queue: Queue, clock: Clock
) -> None:
    start = clock.time + timedelta(hours=1)
    freeze = Freeze(cron=f"{start.minute} {start.hour} * * *", minutes=300)
    push = young(store, queue, receiver_of(store, freeze=(freeze,)), "1", 0, 70)
    assert claimed(queue) == []
    clock.wait(2 * HOUR)
    assert claimed(queue) == []
    assert state(store, push) == ("held", "frozen")
    clock.wait(4.1 * HOUR)
    assert claimed(queue) == [push.execution]


def test_a_shorter_age_counts_at_once(store: Store, queue: Queue) -> None:
    receiver = receiver_of(store)
    push = young(store, queue, receiver, "1", 0, 10)
    assert claimed(queue) == []
    changed = receiver.spec.model_copy(update={"match": Match(minimum_age="9h")})
    _, woken = store.receivers.update(receiver, changed, ANN)
    assert push.execution in woken
    assert claimed(queue) == [push.execution]


def test_what_was_asked_is_remembered_by_a_replay(store: Store, queue: Queue) -> None:
    push = young(store, queue, receiver_of(store), "1", 0, 100)
    (claim,) = queue.claim(10)
    queue.record(claim, Verdict(ExecutionState.FAILED, "no", "rollout_failed"))
    made = store.replays.replay(PROJECT, push.execution, new_id(EXECUTION), False, ANN)
    assert claimed(queue) == [made.id]


def test_releases_are_in_the_audit(store: Store, queue: Queue) -> None:
    push = young(store, queue, receiver_of(store), "1", 0, 1)
    store.releases.release(PROJECT, push.execution, ANN)
    entries = store.audit.page(PROJECT, PageRequest()).items
    assert (entries[0].action, entries[0].subject) == (
        AuditAction.EXECUTION_RELEASED,
        push.execution,
    )
