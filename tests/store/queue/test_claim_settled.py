"""What has only tidying up left makes room for the next push of its slot."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.store.builders import accept, add_receiver, request, work
from tests.store.queue.claiming import DONE, claim_one, lose_leases, read
from webhook_service.errors import Change
from webhook_service.model.delivery import Work
from webhook_service.model.execution import ExecutionState, Verdict
from webhook_service.store.queue.queue import Fenced
from webhook_service.store.store import Store

SETTLED = Verdict(ExecutionState.WAITING, "deployed", settled=True, driver_state={"old": "blue"})
LATER = replace(SETTLED, pause=3600)
ROLLING = Verdict(ExecutionState.WAITING, "rolling", pause=3600)


@pytest.fixture
def receiver(store: Store) -> str:
    return add_receiver(store)[0]


def settle(store: Store, receiver: str, push: Work, verdict: Verdict = LATER) -> None:
    accept(store, receiver, push)
    store.claims.record(claim_one(store), verdict)


def take_over(store: Store, newer: Work) -> None:
    """The newer one begins to change the target."""
    claim = claim_one(store)
    assert claim.execution.id == newer.execution
    store.claims.record(claim, ROLLING)


def test_a_newer_push_that_begins_ends_a_settled_one_as_succeeded(
    store: Store, receiver: str
) -> None:
    settled, newer = work("1", at=1), work("2", at=2)
    settle(store, receiver, settled)
    accept(store, receiver, newer)
    take_over(store, newer)
    ended = read(store, settled)
    assert (ended.state, ended.superseded_by) == (ExecutionState.SUCCEEDED, None)
    assert ended.message == f"Complete; a newer push took over its tidying up: {newer.execution}."
    assert [(attempt.state, attempt.finished) for attempt in ended.attempts] == [
        ("succeeded", ended.finished)
    ]


def test_tidying_up_runs_when_it_is_due_and_nothing_newer_came(store: Store, receiver: str) -> None:
    push = work()
    settle(store, receiver, push, SETTLED)
    claim = claim_one(store)
    assert (claim.execution.id, claim.execution.driver_state) == (push.execution, {"old": "blue"})
    store.claims.record(claim, DONE)
    assert read(store, push).state is ExecutionState.SUCCEEDED


def test_a_newer_push_waits_while_tidying_up_runs(store: Store, receiver: str) -> None:
    settled, newer = work("1", at=1), work("2", at=2)
    settle(store, receiver, settled, SETTLED)
    tidying = claim_one(store)
    accept(store, receiver, newer)
    assert store.claims.claim(10) == []
    store.claims.record(tidying, LATER)
    take_over(store, newer)
    assert read(store, settled).state is ExecutionState.SUCCEEDED


def test_an_older_push_does_not_disturb_a_settled_one(store: Store, receiver: str) -> None:
    settled, older = work("2", at=2), work("1", at=1)
    settle(store, receiver, settled)
    accept(store, receiver, older)
    assert store.claims.claim(10) == []
    assert read(store, older).superseded_by == settled.execution
    assert read(store, settled).state is ExecutionState.WAITING


def test_what_retries_its_tidying_up_has_succeeded_when_a_newer_push_runs(
    store: Store, receiver: str
) -> None:
    settled, newer = work("1", at=1), work("2", at=2)
    settle(store, receiver, settled, SETTLED)
    retry = Verdict(ExecutionState.RETRYING, "API down", "transient", pause=3600)
    store.claims.record(claim_one(store), retry)
    accept(store, receiver, newer)
    take_over(store, newer)
    assert read(store, settled).state is ExecutionState.SUCCEEDED


def test_a_rollout_that_is_not_settled_any_more_holds_its_slot(store: Store, receiver: str) -> None:
    push = work("1", at=1)
    settle(store, receiver, push, SETTLED)
    store.claims.record(claim_one(store), replace(LATER, settled=False))
    accept(store, receiver, work("2", at=2))
    assert claim_one(store).execution.id == push.execution, "it is asked to give way first"


REFUSALS = [
    Verdict(ExecutionState.FAILED, "It is paused.", "paused"),
    Verdict(ExecutionState.UNCHANGED, "It runs already."),
    Verdict(ExecutionState.SUPERSEDED, "Another host was faster."),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda verdict: verdict.state)
@pytest.mark.parametrize("last", [SETTLED, Verdict(ExecutionState.RETRYING, "API down")])
def test_tidying_up_goes_on_after_a_newer_push_that_was_refused(
    store: Store, receiver: str, refusal: Verdict, last: Verdict
) -> None:
    settled, newer = work("1", at=1), work("2", at=2)
    settle(store, receiver, settled, SETTLED)
    tidying = claim_one(store)
    accept(store, receiver, newer)
    store.claims.record(tidying, last)
    refused = claim_one(store)
    assert refused.execution.id == newer.execution
    assert read(store, settled).finished is None
    store.claims.record(refused, refusal)
    claim = claim_one(store)
    assert claim.execution.id == settled.execution and claim.settled
    store.claims.record(claim, DONE)
    assert read(store, settled).state is ExecutionState.SUCCEEDED


def test_a_failed_push_that_has_changed_something_has_taken_the_tidying_up_over(
    store: Store, receiver: str
) -> None:
    settled, newer = work("1", at=1), work("2", at=2)
    settle(store, receiver, settled)
    accept(store, receiver, newer)
    change = (Change("Deployment shop", "image", "a", "b"),)
    store.claims.record(claim_one(store), Verdict(ExecutionState.FAILED, "no", changes=change))
    assert read(store, settled).state is ExecutionState.SUCCEEDED


def test_a_raw_request_takes_over_from_a_settled_one(store: Store, receiver: str) -> None:
    first, second = request(), request()
    settle(store, receiver, first)
    accept(store, receiver, second)
    store.claims.record(claim_one(store), DONE)
    assert read(store, first).state is ExecutionState.SUCCEEDED


def test_lost_tidying_up_is_taken_over_and_still_gives_way(store: Store, receiver: str) -> None:
    settled, newer = work("1", at=1), work("2", at=2)
    settle(store, receiver, settled, SETTLED)
    late = claim_one(store)
    lose_leases(store)
    assert store.claims.sweep() == 1
    accept(store, receiver, newer)
    take_over(store, newer)
    assert read(store, settled).state is ExecutionState.SUCCEEDED
    with pytest.raises(Fenced):
        store.claims.record(late, DONE)


def test_tidying_up_goes_on_while_a_newer_push_waits_for_its_time(
    store: Store, receiver: str
) -> None:
    settled = work("1", at=1)
    settle(store, receiver, settled, SETTLED)
    frozen = datetime.now(UTC) + timedelta(hours=1)
    accept(store, receiver, replace(work("2", at=2), held_until=frozen))
    assert claim_one(store).execution.id == settled.execution


def test_what_retries_its_tidying_up_does_it_again(store: Store, receiver: str) -> None:
    push = work()
    settle(store, receiver, push, SETTLED)
    store.claims.record(claim_one(store), Verdict(ExecutionState.RETRYING, "API down"))
    assert claim_one(store).execution.id == push.execution


def test_what_takes_over_ends_the_open_attempt_of_its_slot_and_no_other(
    store: Store, receiver: str
) -> None:
    settled, elsewhere = work("1", at=1), work(slot="elsewhere")
    settle(store, receiver, settled, SETTLED)
    store.claims.record(claim_one(store), Verdict(ExecutionState.RETRYING, "down"))
    store.claims.record(claim_one(store), LATER)
    accept(store, receiver, elsewhere)
    claim_one(store)
    newer = work("2", at=2)
    accept(store, receiver, newer)
    take_over(store, newer)
    assert [each.state for each in read(store, settled).attempts] == ["retrying", "succeeded"]
    assert [each.state for each in read(store, elsewhere).attempts] == ["running"]
