"""What has begun stops when people or a newer push ask for it, on whatever host it is."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from tests.store.builders import accept, add_receiver, request, work
from tests.store.queue.claiming import DONE, claim_one, lose_leases, read
from tests.support import PROJECT
from webhook_service.driver import Interruption
from webhook_service.errors import Change, InvalidRequest
from webhook_service.model.delivery import Work
from webhook_service.model.execution import GIVING_WAY, Claim, ExecutionState, Verdict
from webhook_service.model.people.audit import Actor
from webhook_service.store.store import Store
from webhook_service.store.tables import executions

ANN = Actor("ann")
CHANGES = (Change("Deployment shop", "image", "a", "b"),)
ROLLING = Verdict(
    ExecutionState.WAITING, "rolling", pause=3600, driver_state={"n": 1}, changes=CHANGES
)


@pytest.fixture
def receiver(store: Store) -> str:
    return add_receiver(store)[0]


def begin(store: Store, receiver: str, push: Work) -> Claim:
    accept(store, receiver, push)
    return claim_one(store)


def follow(store: Store, receiver: str, push: Work) -> None:
    store.claims.record(begin(store, receiver, push), ROLLING)


def why(claim: Claim) -> tuple[str, Interruption | None, str | None]:
    return claim.execution.id, claim.execution.interruption, claim.execution.interrupted_by


def test_an_abort_lets_what_waits_go_back_at_once(store: Store, receiver: str) -> None:
    push = work()
    follow(store, receiver, push)
    assert store.claims.claim(1) == []
    asked = store.executions.abort(PROJECT, push.execution, ANN)
    assert (asked.state, asked.message) == ("waiting", "ann asked for an abort: it goes back.")
    claim = claim_one(store)
    assert why(claim) == (push.execution, Interruption.ABORT, "ann")
    assert (claim.execution.driver_state, claim.resumed) == ({"n": 1}, True)


def test_an_abort_comes_before_all_that_waits_to_begin(store: Store, receiver: str) -> None:
    push = work()
    follow(store, receiver, push)
    accept(store, receiver, *[work(slot=str(number)) for number in range(5)])
    store.executions.abort(PROJECT, push.execution, ANN)
    assert [claim.execution.id for claim in store.claims.claim(1)] == [push.execution]


def test_an_abort_of_a_running_step_is_heard_when_the_step_ends(
    store: Store, receiver: str
) -> None:
    push = work()
    claim = begin(store, receiver, push)
    store.executions.abort(PROJECT, push.execution, ANN)
    assert store.claims.claim(1) == []
    store.claims.record(claim, ROLLING)
    back = claim_one(store)
    assert why(back) == (push.execution, Interruption.ABORT, "ann")
    store.claims.record(back, ROLLING)
    assert store.claims.claim(1) == [], "once heard, it waits as the driver says"


def test_an_abort_that_was_taken_is_not_lost_when_the_step_completes_the_change(
    store: Store, receiver: str
) -> None:
    push = work()
    follow(store, receiver, push)
    store.executions.abort(PROJECT, push.execution, ANN)
    claim = claim_one(store)
    early = replace(claim, execution=replace(claim.execution, interruption=None))
    store.claims.record(early, DONE)
    back = claim_one(store)
    assert why(back) == (push.execution, Interruption.ABORT, "ann")
    assert back.execution.driver_state == {"n": 1}


def test_an_abort_outlives_its_worker(store: Store, receiver: str) -> None:
    push = work()
    follow(store, receiver, push)
    store.executions.abort(PROJECT, push.execution, ANN)
    claim_one(store)
    lose_leases(store)
    assert store.claims.sweep() == 1
    assert why(claim_one(store)) == (push.execution, Interruption.ABORT, "ann")


def test_an_abort_runs_although_its_receiver_is_suspended(store: Store, receiver: str) -> None:
    push = work()
    accept(store, receiver, push)
    retry = Verdict(ExecutionState.RETRYING, "down", pause=3600, driver_state={"n": 1})
    store.claims.record(claim_one(store), retry)
    store.receivers.suspend(PROJECT, receiver)
    store.executions.abort(PROJECT, push.execution, ANN)
    assert why(claim_one(store)) == (push.execution, Interruption.ABORT, "ann")


def test_an_abort_of_what_has_not_begun_ends_it(store: Store, receiver: str) -> None:
    push = work()
    accept(store, receiver, push)
    ended = store.executions.abort(PROJECT, push.execution, ANN)
    assert (ended.state, ended.reason) == ("cancelled", "aborted")
    assert ended.message == "Aborted by ann before it began, so nothing was changed."
    assert store.claims.claim(1) == []
    with pytest.raises(InvalidRequest, match="ended already"):
        store.executions.abort(PROJECT, push.execution, ANN)


def test_cancel_of_what_has_changed_something_names_the_abort(store: Store, receiver: str) -> None:
    push = work()
    follow(store, receiver, push)
    with pytest.raises(InvalidRequest, match=f"execution abort {push.execution}"):
        store.executions.cancel(PROJECT, push.execution, ANN)
    assert read(store, push).state is ExecutionState.WAITING
    ended = store.executions.cancel(PROJECT, push.execution, ANN, force=True)
    assert ended.message == "Cancelled midway: what it had changed already stays."


def test_cancel_of_what_could_not_begin_ends_it(store: Store, receiver: str) -> None:
    push = work()
    retry = Verdict(ExecutionState.RETRYING, "down", pause=3600)
    store.claims.record(begin(store, receiver, push), retry)
    ended = store.executions.cancel(PROJECT, push.execution, ANN)
    assert ended.message == "Cancelled before it had changed anything that is recorded."


def test_a_newer_push_asks_what_is_active_to_give_way(store: Store, receiver: str) -> None:
    older, newer = work("1", at=1), work("2", at=2)
    follow(store, receiver, older)
    accept(store, receiver, newer)
    asked = claim_one(store)
    assert why(asked) == (older.execution, Interruption.NEWER, newer.execution)
    gone = Verdict(ExecutionState.SUPERSEDED, "gone", superseded_by=newer.execution)
    store.claims.record(asked, gone)
    assert claim_one(store).execution.id == newer.execution
    assert read(store, older).superseded_by == newer.execution


def came_in_a_year(store: Store, push: Work) -> None:
    """As if the clock had been far ahead when it came, and was right again since."""
    ahead = store.now() + timedelta(days=365)
    same = executions.c.id == push.execution
    store.database.write(
        lambda connection: connection.execute(update(executions).where(same).values(created=ahead))
    )


def test_what_came_while_the_clock_was_ahead_gives_way_at_once(store: Store, receiver: str) -> None:
    older, newer = work("1", at=1), work("2", at=2)
    follow(store, receiver, older)
    came_in_a_year(store, older)
    accept(store, receiver, newer)
    assert why(claim_one(store)) == (older.execution, Interruption.NEWER, newer.execution)


def test_what_came_while_the_clock_was_ahead_is_aborted_at_once(
    store: Store, receiver: str
) -> None:
    push = work()
    follow(store, receiver, push)
    came_in_a_year(store, push)
    store.executions.abort(PROJECT, push.execution, ANN)
    assert why(claim_one(store)) == (push.execution, Interruption.ABORT, "ann")


def test_a_broker_that_names_the_newer_push_gets_what_is_in_its_way(
    store: Store, receiver: str
) -> None:
    older, newer = work("1", at=1), work("2", at=2)
    follow(store, receiver, older)
    accept(store, receiver, newer)
    asked = store.claims.claim_execution(newer.execution)
    assert asked is not None
    assert why(asked) == (older.execution, Interruption.NEWER, newer.execution)


def test_a_running_step_hears_of_the_newer_push_when_it_ends(store: Store, receiver: str) -> None:
    older, newer = work("1", at=1), work("2", at=2)
    claim = begin(store, receiver, older)
    accept(store, receiver, newer)
    assert store.claims.claim(1) == []
    store.claims.record(claim, ROLLING)
    assert why(claim_one(store)) == (older.execution, Interruption.NEWER, newer.execution)


def test_what_goes_on_although_it_was_asked_is_not_asked_again(store: Store, receiver: str) -> None:
    older, newer = work("1", at=1), work("2", at=2)
    follow(store, receiver, older)
    accept(store, receiver, newer)
    store.claims.record(claim_one(store), ROLLING)
    assert store.claims.claim(1) == []


def test_an_older_push_and_a_raw_request_ask_nobody(store: Store, receiver: str) -> None:
    newer, older = work("2", at=2), work("1", at=1)
    follow(store, receiver, newer)
    accept(store, receiver, older)
    assert store.claims.claim(1) == []
    assert read(store, newer).interruption is None
    first, second = request(slot="raw"), request(slot="raw")
    follow(store, receiver, first)
    accept(store, receiver, second)
    assert store.claims.claim(1) == []
    assert read(store, first).interruption is None


def test_an_abort_is_not_forgotten_for_a_newer_push(store: Store, receiver: str) -> None:
    older, newer = work("1", at=1), work("2", at=2)
    follow(store, receiver, older)
    store.executions.abort(PROJECT, older.execution, ANN)
    accept(store, receiver, newer)
    assert why(claim_one(store)) == (older.execution, Interruption.ABORT, "ann")


GIVES_WAY = replace(ROLLING, message="half done", settled=True, reason=GIVING_WAY)
REFUSED = Verdict(ExecutionState.FAILED, "Nothing was changed.", "paused")


def give_way(store: Store, receiver: str) -> tuple[Work, Work, Claim]:
    """An older push that has given way, a newer one, and the claim of the newer one."""
    older, newer = work(), work()
    follow(store, receiver, older)
    accept(store, receiver, newer)
    asked = claim_one(store)
    assert asked.execution.id == older.execution
    store.claims.record(asked, GIVES_WAY)
    begun = claim_one(store)
    assert begun.execution.id == newer.execution
    return older, newer, begun


def test_what_gave_way_ends_as_superseded_when_the_newer_push_has_begun(
    store: Store, receiver: str
) -> None:
    older, newer, begun = give_way(store, receiver)
    assert not read(store, older).settled and store.executions.ended([older.execution]) == []
    store.claims.record(begun, ROLLING)
    ended = read(store, older)
    assert (ended.state, ended.superseded_by) == ("superseded", newer.execution)
    assert ended.reason is None and not ended.settled, "it had not completed"
    assert not stored_as_settled(store, older)


def test_what_gave_way_and_is_cancelled_by_force_has_not_completed(
    store: Store, receiver: str
) -> None:
    older, _, _ = give_way(store, receiver)
    assert not store.executions.cancel(PROJECT, older.execution, ANN, force=True).settled
    assert not stored_as_settled(store, older)


def test_what_release_0_2_0_left_settled_when_it_gave_way_has_not_completed(
    store: Store, receiver: str
) -> None:
    older, _, begun = give_way(store, receiver)
    store.claims.record(begun, ROLLING)
    as_then = update(executions).where(executions.c.id == older.execution).values(settled=True)
    store.database.write(lambda connection: connection.execute(as_then))
    assert not read(store, older).settled


def stored_as_settled(store: Store, push: Work) -> bool:
    query = select(executions.c.settled).where(executions.c.id == push.execution)
    with store.database.read() as connection:
        return bool(connection.execute(query).scalar_one())


@pytest.mark.parametrize("refused", [REFUSED, Verdict(ExecutionState.UNCHANGED, "It runs.")])
def test_what_gave_way_goes_on_if_the_newer_push_is_refused(
    store: Store, receiver: str, refused: Verdict
) -> None:
    older, _, begun = give_way(store, receiver)
    store.claims.record(begun, refused)
    let_be_due(store, older)
    again = claim_one(store)
    assert why(again) == (older.execution, None, None)
    assert (again.execution.driver_state, again.settled, again.resumed) == ({"n": 1}, False, True)
    assert again.execution.reason is None


def test_what_gave_way_goes_on_while_the_newer_push_waits_to_be_tried_again(
    store: Store, receiver: str
) -> None:
    older, newer, begun = give_way(store, receiver)
    store.claims.record(begun, Verdict(ExecutionState.RETRYING, "busy", pause=3600))
    assert read(store, newer).state == "retrying"
    let_be_due(store, older)
    assert claim_one(store).execution.id == older.execution


def test_an_abort_of_what_gave_way_is_not_forgotten(store: Store, receiver: str) -> None:
    older, _, begun = give_way(store, receiver)
    store.executions.abort(PROJECT, older.execution, ANN)
    store.claims.record(begun, REFUSED)
    assert why(claim_one(store)) == (older.execution, Interruption.ABORT, "ann")


def let_be_due(store: Store, push: Work) -> None:
    due = update(executions).where(executions.c.id == push.execution).values(due=store.now())
    store.database.write(lambda connection: connection.execute(due))
