"""Rollbacks as they are stored: a newer push of the same slot, and what runs of it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.store.builders import NOW, accept, add_receiver, work
from tests.support import PROJECT
from webhook_service.driver import PushEvent
from webhook_service.errors import Change, NotFound
from webhook_service.model.execution import Execution, ExecutionState, Verdict
from webhook_service.model.history.revision import WayBack
from webhook_service.model.ids import EXECUTION, new_id
from webhook_service.model.people.audit import Actor
from webhook_service.people.rollback import way_back
from webhook_service.store.history.revisions import MAX_REVISIONS
from webhook_service.store.store import Store

DONE = Verdict(ExecutionState.SUCCEEDED, "done")


@pytest.fixture
def receiver(store: Store) -> str:
    return add_receiver(store)[0]


def deploy(store: Store, receiver: str, tag: str, at: float, slot: str = "slot") -> str:
    """Accept a push and let it succeed."""
    push = work(tag, at=at, slot=slot)
    accept(store, receiver, push)
    (claim,) = store.claims.claim(10)
    store.claims.record(claim, DONE)
    return push.execution


def revisions(store: Store, receiver: str) -> list[Execution]:
    (found,) = store.revisions.by_slot(PROJECT, receiver)
    return found


def roll_back(store: Store, receiver: str, way: WayBack | None = None) -> Execution:
    way = way or way_back(revisions(store, receiver))
    owner = store.receivers.get(PROJECT, receiver)
    return store.revisions.roll_back(owner, way, new_id(EXECUTION), Actor("alice"))


def tag_of(execution: Execution) -> str | None:
    assert isinstance(execution.event, PushEvent)
    return execution.event.tag


def test_what_failed_and_changed_nothing_is_no_revision(store: Store, receiver: str) -> None:
    for at, tag in enumerate("123"):
        deploy(store, receiver, tag, at)
    failing = work("4", at=4)
    accept(store, receiver, failing)
    (claim,) = store.claims.claim(1)
    store.claims.record(claim, Verdict(ExecutionState.FAILED, "no"))
    assert [tag_of(found) for found in revisions(store, receiver)] == ["3", "2", "1"]
    assert store.revisions.by_slot("1a6", receiver) == []


def test_a_slot_that_two_receivers_change_has_one_history(store: Store, receiver: str) -> None:
    other, _ = add_receiver(store, "other")
    deploy(store, receiver, "1", at=1)
    deploy(store, other, "2", at=2)
    assert [tag_of(found) for found in revisions(store, receiver)] == ["2", "1"]


def test_a_rollback_runs_as_the_newest_push(store: Store, receiver: str) -> None:
    deploy(store, receiver, "1", at=1)
    # A sender whose clock runs ahead, as far as that counts.
    undone = deploy(store, receiver, "2", at=280)
    made = roll_back(store, receiver)
    (claim,) = store.claims.claim(10)
    assert claim.execution.id == made.id
    assert (tag_of(claim.execution), claim.execution.requested_by) == ("1", "alice")
    second = store.executions.get(PROJECT, undone)
    assert claim.execution.rolls_back == second.identity
    assert claim.execution.identity not in ("", second.identity)
    assert claim.execution.order_key > second.order_key


def test_a_rollback_supersedes_what_waits(store: Store, receiver: str) -> None:
    deploy(store, receiver, "1", at=1)
    deploy(store, receiver, "2", at=2)
    waiting = work("3", at=200)
    accept(store, receiver, waiting)
    made = roll_back(store, receiver)
    (claim,) = store.claims.claim(10)
    assert claim.execution.id == made.id
    assert store.executions.get(PROJECT, waiting.execution).superseded_by == made.id


def test_pushes_older_than_a_rollback_never_win_and_newer_ones_do(
    store: Store, receiver: str
) -> None:
    deploy(store, receiver, "1", at=-30)
    deploy(store, receiver, "2", at=-20)
    made = roll_back(store, receiver)
    (claim,) = store.claims.claim(10)
    store.claims.record(claim, DONE)
    late = work("2.1", at=-10)
    accept(store, receiver, late)
    assert store.claims.claim(10) == []
    assert store.executions.get(PROJECT, late.execution).superseded_by == made.id
    newer = work("3", at=(datetime.now(UTC) - NOW).total_seconds() + 60)
    accept(store, receiver, newer)
    (claim,) = store.claims.claim(10)
    assert claim.execution.id == newer.execution


def test_the_way_back_from_a_rollout_on_its_way_waits_for_its_end(
    store: Store, receiver: str
) -> None:
    deploy(store, receiver, "1", at=1)
    rolling = work("2", at=2)
    accept(store, receiver, rolling)
    (claim,) = store.claims.claim(1)
    (active,) = store.revisions.active(claim.execution.slot)
    assert active.id == rolling.execution
    way = way_back([active, *revisions(store, receiver)])
    made = roll_back(store, receiver, way)
    assert store.claims.claim(10) == []
    store.claims.record(claim, DONE)
    (claim,) = store.claims.claim(10)
    assert (claim.execution.id, tag_of(claim.execution)) == (made.id, "1")


def test_a_rollback_of_what_is_gone_is_not_found(store: Store, receiver: str) -> None:
    deploy(store, receiver, "1", at=1)
    (first,) = revisions(store, receiver)
    gone = replace(first, id="exe_gone")
    with pytest.raises(NotFound):
        roll_back(store, receiver, WayBack(PushEvent(registry="r", repository="x"), gone))


CHANGES = (Change("Deployment shop/shop", "containers[app].image", "acme/shop:1", "acme/shop:2"),)


@pytest.mark.parametrize("state", [ExecutionState.FAILED, ExecutionState.SUPERSEDED])
def test_what_changed_its_target_is_a_revision_whatever_became_of_it(
    store: Store, receiver: str, state: ExecutionState
) -> None:
    deploy(store, receiver, "1", at=1)
    accept(store, receiver, work("2", at=2))
    (claim,) = store.claims.claim(1)
    store.claims.record(claim, Verdict(state, "no", changes=CHANGES))
    newest, older = revisions(store, receiver)
    assert (tag_of(newest), newest.changed is not None) == ("2", True)
    assert tag_of(older) == "1"


def test_what_was_cancelled_after_it_changed_its_target_is_a_revision(
    store: Store, receiver: str
) -> None:
    accept(store, receiver, work("1", at=1))
    (claim,) = store.claims.claim(1)
    waiting = Verdict(ExecutionState.WAITING, "rolling", changes=CHANGES, pause=60)
    store.claims.record(claim, waiting)
    store.executions.cancel(PROJECT, claim.execution.id, force=True)
    (found,) = revisions(store, receiver)
    assert (found.id, found.state) == (claim.execution.id, ExecutionState.CANCELLED)


def test_the_last_that_succeeded_is_found_behind_many_that_failed(
    store: Store, receiver: str
) -> None:
    good = deploy(store, receiver, "1", at=1)
    for number in range(2, MAX_REVISIONS + 3):
        accept(store, receiver, work(str(number), at=number))
        (claim,) = store.claims.claim(1)
        store.claims.record(claim, Verdict(ExecutionState.FAILED, "no", changes=CHANGES))
    found = revisions(store, receiver)
    assert (len(found), found[-1].id) == (MAX_REVISIONS + 1, good)


def test_a_rollback_keeps_where_each_target_goes(store: Store, receiver: str) -> None:
    deploy(store, receiver, "1", at=1)
    (first,) = revisions(store, receiver)
    assert isinstance(first.event, PushEvent)
    images = {"Deployment shop/a": "acme/shop:0"}
    roll_back(store, receiver, WayBack(first.event, first, "by-hand", images))
    (claim,) = store.claims.claim(1)
    assert (claim.execution.back_to, claim.execution.rolls_back) == (images, "by-hand")
