"""What may not begin yet waits with a reason, the newest wins, and nothing is forgotten."""

from dataclasses import replace

import pytest

from tests.store.builders import NOW, accept, add_receiver, work
from tests.store.queue.claiming import DONE, Clock, read
from tests.support import PROJECT
from webhook_service.errors import Change, InvalidRequest, LimitReached, NotFound
from webhook_service.model.delivery import Work
from webhook_service.model.execution import ExecutionState, Verdict
from webhook_service.model.ids import RECEIVER, new_id, new_key
from webhook_service.model.people.audit import Actor
from webhook_service.model.people.hold import HOLD, MAX_HOLDS, Hold
from webhook_service.model.receiver import After, Match, Receiver, ReceiverSpec
from webhook_service.store.queue.queue import Queue
from webhook_service.store.store import Store

ANN = Actor("ann")
FAILED = Verdict(
    ExecutionState.FAILED, "no", "rollout_failed", changes=(Change("t", "image", "1", "2"),)
)
DIGESTS = ["sha256:" + letter * 64 for letter in "ab"]


def held(store: Store, name: str = "hold", project: str = PROJECT) -> str:
    hold = Hold(new_id(HOLD), project, name, "incident 42", ANN.name, store.now())
    store.holds.add(hold, ANN)
    return hold.id


def production(store: Store, succeeded_for: str = "30m") -> str:
    """A receiver that comes after the receiver ``staging``."""
    after = After(receiver="staging", succeeded_for=succeeded_for)
    spec = ReceiverSpec(name="production", driver="stub", match=Match(after=after))
    receiver = Receiver(new_id(RECEIVER), PROJECT, spec, NOW, NOW)
    store.receivers.add(receiver, new_key())
    return receiver.id


def pushed(store: Store, receiver: str, tag: str = "1", at: float = 0, slot: str = "prod") -> Work:
    push = work(tag, at=at, slot=slot)
    accept(store, receiver, push)
    return push


def stage(
    store: Store, queue: Queue, staging: str, tag: str, at: float = 0, verdict: Verdict = DONE
) -> None:
    """Staging deploys a tag, to the end that the verdict says."""
    push = pushed(store, staging, tag, at, "staging")
    (claim,) = [each for each in queue.claim(10) if each.execution.id == push.execution]
    queue.record(claim, verdict)


def state(store: Store, push: Work) -> tuple[str, str | None]:
    found = read(store, push)
    return found.state.value, found.reason


def test_a_held_project_begins_nothing_until_each_hold_is_released(
    store: Store, queue: Queue
) -> None:
    receiver, _ = add_receiver(store)
    first, second = held(store, "freeze"), held(store, "incident")
    older, newer = pushed(store, receiver, "1", 1), pushed(store, receiver, "2", 2)
    assert queue.claim(10) == []
    assert state(store, newer) == ("held", "project_held")
    assert "incident 42" in read(store, newer).message
    assert store.holds.release(PROJECT, first, ANN).executions == ()
    assert queue.claim(10) == []
    assert newer.execution in store.holds.release(PROJECT, second, ANN).executions
    (claim,) = queue.claim(10)
    assert claim.execution.id == newer.execution
    assert state(store, older)[0] == "superseded"


def test_a_hold_is_of_its_own_project_alone(store: Store, queue: Queue) -> None:
    receiver, _ = add_receiver(store)
    other = held(store, project="1a6")
    push = pushed(store, receiver)
    assert [claim.execution.id for claim in queue.claim(10)] == [push.execution]
    with pytest.raises(NotFound):
        store.holds.release(PROJECT, other, ANN)


def test_what_a_lost_release_forgot_runs_by_itself(
    store: Store, queue: Queue, clock: Clock
) -> None:
    receiver, _ = add_receiver(store)
    hold = held(store)
    push = pushed(store, receiver)
    assert queue.claim(10) == []
    store.database.write(lambda connection: connection.exec_driver_sql("DELETE FROM holds"))
    with pytest.raises(NotFound):
        store.holds.release(PROJECT, hold, ANN)
    clock.wait(31)
    assert [claim.execution.id for claim in queue.claim(10)] == [push.execution]


def test_a_rollout_under_way_goes_on_and_people_may_go_back(store: Store, queue: Queue) -> None:
    receiver, _ = add_receiver(store)
    push = pushed(store, receiver)
    (claim,) = queue.claim(10)
    queue.record(claim, Verdict(ExecutionState.WAITING, "rolling", pause=0))
    held(store)
    assert [each.execution.id for each in queue.claim(10)] == [push.execution]


def test_holds_have_names_and_an_end_of_their_number(store: Store) -> None:
    held(store, "a")
    with pytest.raises(InvalidRequest, match="held as 'a' already"):
        held(store, "a")
    for number in range(MAX_HOLDS - 1):
        held(store, f"n{number}")
    with pytest.raises(LimitReached):
        held(store, "one more")
    assert [hold.name for hold in store.holds.of(PROJECT)][0] == "a"


def test_an_image_waits_until_the_other_receiver_ran_it_for_long_enough(
    store: Store, queue: Queue, clock: Clock
) -> None:
    staging, _ = add_receiver(store, "staging")
    push = pushed(store, production(store), "2")
    assert queue.claim(10) == []
    assert state(store, push) == ("held", "after")
    assert "staging has not deployed docker.io/acme/shop:2 yet" in read(store, push).message
    stage(store, queue, staging, "2")
    clock.wait(31)
    assert queue.claim(10) == []
    clock.wait(29 * 60)
    assert queue.claim(10) == []
    clock.wait(61)
    assert [claim.execution.id for claim in queue.claim(10)] == [push.execution]


@pytest.mark.parametrize("verdict", [DONE, FAILED], ids=["another image", "a failed rollout"])
def test_the_time_begins_anew_after_a_break(
    store: Store, queue: Queue, clock: Clock, verdict: Verdict
) -> None:
    staging, _ = add_receiver(store, "staging")
    stage(store, queue, staging, "2", 0)
    stage(store, queue, staging, "1", 1, verdict)
    clock.wait(3600)
    push = pushed(store, production(store), "2")
    assert queue.claim(10) == []
    stage(store, queue, staging, "2", 2)
    clock.wait(29 * 60)
    assert queue.claim(10) == []
    clock.wait(120)
    assert [claim.execution.id for claim in queue.claim(10)] == [push.execution]


@pytest.mark.parametrize(("digest", "runs"), [(DIGESTS[0], True), (DIGESTS[1], False)])
def test_digests_are_compared_where_both_are_known(
    store: Store, queue: Queue, digest: str, runs: bool
) -> None:
    staging, _ = add_receiver(store, "staging")

    def push(receiver: str, digest: str, slot: str) -> Work:
        made = work("2", slot=slot)
        made = replace(made, event=replace(made.event, digest=digest))
        accept(store, receiver, made)
        return made

    push(staging, DIGESTS[0], "staging")
    (claim,) = queue.claim(10)
    queue.record(claim, DONE)
    made = push(production(store, "0s"), digest, "prod")
    assert [claim.execution.id for claim in queue.claim(10)] == [made.execution] * runs


def test_of_what_waits_for_another_receiver_the_newest_runs(
    store: Store, queue: Queue, clock: Clock
) -> None:
    staging, _ = add_receiver(store, "staging")
    receiver = production(store, "0s")
    older, newer = pushed(store, receiver, "1", 1), pushed(store, receiver, "2", 2)
    assert queue.claim(10) == []
    stage(store, queue, staging, "1")
    clock.wait(31)
    assert queue.claim(10) == []
    stage(store, queue, staging, "2", 1)
    clock.wait(31)
    assert [claim.execution.id for claim in queue.claim(10)] == [newer.execution]
    assert state(store, older)[0] == "superseded"
