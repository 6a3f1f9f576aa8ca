"""A sender that tells of one push several times causes one rollout; what may be new has its own."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.store.builders import accept, add_receiver, decision, request
from tests.store.queue.claiming import DONE, Clock, read
from tests.support import PROJECT
from webhook_service.driver import PushEvent
from webhook_service.formats.dockerhub import DockerHub
from webhook_service.formats.format import FormatOptions
from webhook_service.formats.nexus import Nexus, NexusOptions
from webhook_service.model.delivery import Work
from webhook_service.model.execution import Claim, ExecutionState, Verdict
from webhook_service.model.ids import EXECUTION, RECEIVER, new_id, new_key
from webhook_service.model.order import order_time, push_identity
from webhook_service.model.people.audit import Actor
from webhook_service.model.receiver import Receiver, ReceiverSpec
from webhook_service.model.rules.registry import RegistryRule
from webhook_service.store.queue.queue import Queue
from webhook_service.store.store import Store
from webhook_service.testing.samples import dockerhub_push
from webhook_service.testing.samples_cloud import nexus_push

ROLLING = Verdict(ExecutionState.WAITING, "rolling", pause=60)
DIGESTS = ["sha256:" + letter * 64 for letter in "ab"]
ANN = Actor("ann")


def nexus(tag: str, at: datetime, action: str = "UPDATED") -> PushEvent:
    body, headers = nexus_push("acme/shop", tag, action=action, pushed_at=at)
    (event,) = Nexus().parse(body, headers, NexusOptions(registry="nexus.example:5000")).events
    return event


def hub(tag: str, at: datetime) -> PushEvent:
    body = dockerhub_push("acme/shop", tag, pushed_at=at)
    (event,) = DockerHub().parse(body, {}, FormatOptions()).events
    return event


def called(
    store: Store, receiver: str, event: PushEvent, received: datetime, slot: str = "slot"
) -> Work:
    """One call, as the receiver takes it."""
    identity = push_identity("format", event, received)
    ordered = order_time(event, received)
    work = Work(new_id(EXECUTION), event, event.image, identity, slot, ordered)
    store.intake.accept(decision(receiver, work, received=received))
    return work


def rolled_out(store: Store, queue: Queue, receiver: str, event: PushEvent, at: datetime) -> Claim:
    """A push whose rollout has begun."""
    called(store, receiver, event, at)
    (claim,) = queue.claim(10)
    queue.record(claim, ROLLING)
    return claim


@pytest.mark.parametrize(
    ("make", "calls", "apart"), [(nexus, 25, 0.7), (hub, 6, 1.0)], ids=["nexus", "dockerhub"]
)
def test_calls_of_one_push_are_one_rollout_and_say_which(
    store: Store,
    queue: Queue,
    clock: Clock,
    make: Callable[[str, datetime], PushEvent],
    calls: int,
    apart: float,
) -> None:
    receiver, _ = add_receiver(store)
    start = clock.time
    claim = rolled_out(store, queue, receiver, make("1", start), start)
    for number in range(1, calls + 1):
        clock.wait(apart)
        again = called(store, receiver, make("1", clock.time), clock.time)
        assert queue.claim(10) == []
        found = read(store, again)
        assert (found.state, found.reason) == ("superseded", "duplicate"), number
        assert found.superseded_by == claim.execution.id
        assert claim.execution.id in found.message
    assert store.executions.get(PROJECT, claim.execution.id).interruption is None
    clock.wait(60)
    (resumed,) = queue.claim(10)
    assert resumed.execution.id == claim.execution.id
    queue.record(resumed, DONE)
    assert queue.claim(10) == []


def test_another_tag_takes_over_at_once(store: Store, queue: Queue, clock: Clock) -> None:
    receiver, _ = add_receiver(store)
    claim = rolled_out(store, queue, receiver, nexus("1", clock.time), clock.time)
    clock.wait(5)
    called(store, receiver, nexus("2", clock.time), clock.time)
    queue.claim(10)
    assert store.executions.get(PROJECT, claim.execution.id).interruption == "newer"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"digest": DIGESTS[1]}, id="it names a digest"),
        pytest.param({"source_id": "build-2"}, id="it has an id of its own"),
        pytest.param({"repository": "acme/other"}, id="another repository"),
    ],
)
def test_what_can_be_told_apart_is_another_push(
    store: Store, queue: Queue, clock: Clock, change: dict[str, Any]
) -> None:
    receiver, _ = add_receiver(store)
    claim = rolled_out(store, queue, receiver, hub("1", clock.time), clock.time)
    clock.wait(5)
    called(store, receiver, replace(hub("1", clock.time), **change), clock.time)
    queue.claim(10)
    assert store.executions.get(PROJECT, claim.execution.id).interruption == "newer"


def test_after_a_minute_a_call_is_another_push(store: Store, queue: Queue, clock: Clock) -> None:
    receiver, _ = add_receiver(store)
    start = clock.time
    claim = rolled_out(store, queue, receiver, hub("1", start), start)
    clock.wait(61)
    called(store, receiver, hub("1", clock.time), clock.time)
    queue.claim(10)
    assert store.executions.get(PROJECT, claim.execution.id).interruption == "newer"


def test_after_the_rollout_has_ended_a_call_is_another_push(
    store: Store, queue: Queue, clock: Clock
) -> None:
    receiver, _ = add_receiver(store)
    called(store, receiver, hub("1", clock.time), clock.time)
    (claim,) = queue.claim(10)
    queue.record(claim, DONE)
    clock.wait(5)
    again = called(store, receiver, hub("1", clock.time), clock.time)
    assert [claim.execution.id for claim in queue.claim(10)] == [again.execution]


def test_where_the_registry_is_asked_the_digests_tell(
    store: Store, queue: Queue, clock: Clock
) -> None:
    spec = ReceiverSpec(name="shop", driver="stub", registry=RegistryRule())
    receiver = Receiver(new_id(RECEIVER), PROJECT, spec, clock.time, clock.time)
    store.receivers.add(receiver, new_key())
    claim = rolled_out(store, queue, receiver.id, hub("1", clock.time), clock.time)
    clock.wait(5)
    called(store, receiver.id, hub("1", clock.time), clock.time)
    queue.claim(10)
    assert store.executions.get(PROJECT, claim.execution.id).interruption == "newer"


def test_another_receiver_of_the_same_target_takes_over(
    store: Store, queue: Queue, clock: Clock
) -> None:
    first, second = (add_receiver(store, name)[0] for name in ("one", "two"))
    claim = rolled_out(store, queue, first, hub("1", clock.time), clock.time)
    clock.wait(5)
    called(store, second, hub("1", clock.time), clock.time)
    queue.claim(10)
    assert store.executions.get(PROJECT, claim.execution.id).interruption == "newer"


def test_a_replay_is_meant(store: Store, queue: Queue, clock: Clock) -> None:
    receiver, _ = add_receiver(store)
    called(store, receiver, hub("1", clock.time - timedelta(seconds=5)), clock.time)
    (ended,) = queue.claim(10)
    queue.record(ended, DONE)
    claim = rolled_out(store, queue, receiver, hub("1", clock.time), clock.time)
    store.replays.replay(PROJECT, ended.execution.id, new_id(EXECUTION), False, ANN)
    clock.wait(5)
    queue.claim(10)
    assert store.executions.get(PROJECT, claim.execution.id).interruption == "newer"


def test_a_rollout_that_is_aborted_is_begun_anew(store: Store, queue: Queue, clock: Clock) -> None:
    receiver, _ = add_receiver(store)
    claim = rolled_out(store, queue, receiver, hub("1", clock.time), clock.time)
    store.executions.abort(PROJECT, claim.execution.id, ANN)
    clock.wait(5)
    again = called(store, receiver, hub("1", clock.time), clock.time)
    queue.claim(10)
    assert read(store, again).state != "superseded"


def test_raw_calls_are_no_pushes(store: Store, queue: Queue) -> None:
    receiver, _ = add_receiver(store)
    accept(store, receiver, request())
    queue.claim(10)
    second = request()
    accept(store, receiver, second)
    queue.claim(10)
    assert read(store, second).state == "queued"
