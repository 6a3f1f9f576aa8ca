"""Approvals: what is held until enough people said yes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from tests.store.builders import NOW, accept, add_receiver, request, work
from tests.support import PROJECT
from webhook_service.errors import InvalidRequest, NotFound
from webhook_service.model.delivery import Work
from webhook_service.model.execution import Execution, ExecutionState, Verdict
from webhook_service.model.people.audit import Actor
from webhook_service.model.receiver import Receiver, ReceiverSpec
from webhook_service.model.rules.approval import ApprovalRule
from webhook_service.store.store import Store

TWO = ApprovalRule(count=2)
DONE = Verdict(ExecutionState.SUCCEEDED)


@pytest.fixture
def receiver(store: Store) -> str:
    spec = ReceiverSpec(name="asks", driver="stub", approval=TWO)
    receiver = Receiver("rcv_asks", PROJECT, spec, NOW, NOW)
    store.receivers.add(receiver, "whk_" + "k" * 43)
    return receiver.id


def asked(tag: str = "1", at: float = 0) -> Work:
    return replace(work(tag, at=at), approval=TWO)


def approve(store: Store, push: Work, *voters: str) -> Execution:
    for voter in voters:
        found = store.approvals.approve(PROJECT, push.execution, Actor(voter), None)
    return found


def read(store: Store, push: Work) -> Execution:
    return store.executions.get(PROJECT, push.execution)


def age(store: Store, hours: int) -> None:
    """Let so many hours pass for everything that waits for approval."""
    past = timedelta(hours=hours) // timedelta(microseconds=1)
    statement = text(f"UPDATE executions SET approve_by = approve_by - {past}")
    store.database.write(lambda connection: connection.execute(statement))


def test_a_push_waits_until_enough_people_said_yes(store: Store, receiver: str) -> None:
    push = asked()
    accept(store, receiver, push)
    held = read(store, push)
    assert (held.state, held.reason, held.due) == (ExecutionState.HELD, "approval", None)
    assert store.claims.claim(10) == [] and store.claims.next_due() is None
    assert approve(store, push, "alice").state is ExecutionState.HELD
    assert approve(store, push, "bob").state is ExecutionState.QUEUED
    (claim,) = store.claims.claim(10)
    assert claim.execution.id == push.execution
    approval = read(store, push).approval
    assert approval is not None and approval.needed == 2
    assert [(vote.voter, vote.approved) for vote in approval.votes] == [
        ("alice", True),
        ("bob", True),
    ]


def test_one_person_has_one_vote(store: Store, receiver: str) -> None:
    push = asked()
    accept(store, receiver, push)
    assert approve(store, push, "alice", "alice").state is ExecutionState.HELD


def test_a_refusal_ends_it(store: Store, receiver: str) -> None:
    push = asked()
    accept(store, receiver, push)
    approve(store, push, "alice")
    refused = store.approvals.refuse(PROJECT, push.execution, Actor("bob"))
    assert (refused.state, refused.reason) == (ExecutionState.CANCELLED, "refused")
    assert "bob" in refused.message and refused.finished is not None
    with pytest.raises(InvalidRequest, match="it is cancelled"):
        approve(store, push, "carol")


def test_what_nobody_approves_in_time_is_cancelled(store: Store, receiver: str) -> None:
    push, raw = asked(), replace(request("raw"), approval=TWO)
    accept(store, receiver, push, raw)
    assert store.approvals.expire() == 0
    age(store, hours=25)
    with pytest.raises(InvalidRequest, match="is over"):
        approve(store, push, "alice")
    assert store.approvals.expire() == 2
    for late in (push, raw):
        ended = read(store, late)
        assert (ended.state, ended.reason) == (ExecutionState.CANCELLED, "approval_expired")
    assert store.approvals.expire() == 0


def test_an_approval_in_a_freeze_window_runs_after_it(store: Store, receiver: str) -> None:
    push = asked()
    accept(store, receiver, push)
    until = datetime.now(UTC) + timedelta(hours=3)
    store.approvals.approve(PROJECT, push.execution, Actor("alice"), until)
    frozen = store.approvals.approve(PROJECT, push.execution, Actor("bob"), until)
    assert (frozen.state, frozen.reason, frozen.due) == (ExecutionState.HELD, "frozen", until)
    age(store, hours=25)
    assert store.approvals.expire() == 0


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_of_one_slot_only_the_newest_waits_however_they_arrive(
    store: Store, receiver: str, order: tuple[int, ...]
) -> None:
    pushes = [asked(str(at), at=at) for at in range(3)]
    for place in order:
        accept(store, receiver, pushes[place])
    assert [read(store, push).state for push in pushes] == ["superseded", "superseded", "held"]
    overtaken = {read(store, push).superseded_by for push in pushes[:2]}
    assert pushes[2].execution in overtaken


def test_raw_requests_wait_each_for_their_own(store: Store, receiver: str) -> None:
    first, second = (replace(request("raw"), approval=TWO) for _ in range(2))
    accept(store, receiver, first)
    accept(store, receiver, second)
    assert {read(store, work).state for work in (first, second)} == {ExecutionState.HELD}


def test_what_waits_for_approval_neither_blocks_nor_supersedes_what_was_approved(
    store: Store, receiver: str
) -> None:
    old, new = asked("1", at=1), asked("2", at=2)
    accept(store, receiver, old)
    approve(store, old, "alice", "bob")
    accept(store, receiver, new)
    (claim,) = store.claims.claim(10)
    assert claim.execution.id == old.execution
    store.claims.record(claim, DONE)
    assert read(store, new).state is ExecutionState.HELD
    approve(store, new, "alice", "bob")
    (claim,) = store.claims.claim(10)
    assert claim.execution.id == new.execution


def test_what_waits_for_approval_is_overtaken_by_a_newer_push_that_runs(
    store: Store, receiver: str
) -> None:
    plain, _ = add_receiver(store)
    old = asked("1", at=1)
    accept(store, receiver, old)
    accept(store, plain, newer := work("2", at=2))
    (claim,) = store.claims.claim(10)
    store.claims.record(claim, DONE)
    assert read(store, old).superseded_by == newer.execution
    with pytest.raises(InvalidRequest, match="it is superseded"):
        approve(store, old, "alice")


def test_a_replay_has_to_be_approved_again(store: Store, receiver: str) -> None:
    push = asked()
    accept(store, receiver, push)
    approve(store, push, "alice", "bob")
    (claim,) = store.claims.claim(10)
    store.claims.record(claim, DONE)
    replay = store.replays.replay(PROJECT, push.execution, "exe_again", as_of=False)
    assert (replay.state, replay.reason) == (ExecutionState.HELD, "approval")
    newer = store.replays.replay(PROJECT, push.execution, "exe_newer", as_of=False)
    assert newer.state is ExecutionState.HELD
    assert store.executions.get(PROJECT, "exe_again").superseded_by == "exe_newer"


def test_only_what_waits_can_be_approved(store: Store, receiver: str) -> None:
    push = work()
    accept(store, receiver, push)
    with pytest.raises(InvalidRequest, match="does not wait for approval"):
        approve(store, push, "alice")
    with pytest.raises(NotFound):
        store.approvals.refuse("1a6", push.execution, Actor("alice"))
