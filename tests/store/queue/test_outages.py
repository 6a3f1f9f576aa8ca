"""What waits for a server that does not answer, as people of one project see it."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from tests.store.builders import accept, add_receiver, work
from tests.store.queue.claiming import DONE, claim_one
from tests.support import PROJECT
from webhook_service.model.execution import ExecutionState, Verdict
from webhook_service.store.queue.outages import UNANSWERED
from webhook_service.store.store import Store
from webhook_service.store.tables import attempts, executions


def leave_waiting(
    store: Store, receiver: str, said: str, reason: str = "unreachable", **slot: str
) -> str:
    """An execution that got no answer, and is tried again in an hour."""
    push = work(**slot)
    accept(store, receiver, push)
    away = Verdict(ExecutionState.RETRYING, said, reason, pause=3600)
    store.claims.record(claim_one(store), away)
    return push.execution


def hours_ago(store: Store, execution: str, hours: int) -> None:
    when = store.now() - timedelta(hours=hours)
    change = update(attempts).where(attempts.c.execution == execution).values(finished=when)
    store.database.write(lambda connection: connection.execute(change))


def test_it_says_how_many_wait_since_when_for_how_long_and_why(store: Store) -> None:
    receiver, _ = add_receiver(store)
    first = leave_waiting(store, receiver, "Connection refused.", slot="a")
    leave_waiting(store, receiver, "It is not asked for 5 s.", "cluster_down", slot="b")
    hours_ago(store, first, 2)
    (outage,) = store.outages.of_project(PROJECT)
    assert (outage.receiver, outage.waiting, outage.said) == (receiver, 2, "Connection refused.")
    assert outage.since - store.now() < timedelta(hours=-1.9)
    assert outage.next_try and timedelta(hours=0.9) < outage.next_try - store.now()


def test_one_that_is_tried_at_this_moment_still_waits_for_an_answer(store: Store) -> None:
    receiver, _ = add_receiver(store)
    execution = leave_waiting(store, receiver, "Connection refused.")
    due = update(executions).where(executions.c.id == execution).values(due=store.now())
    store.database.write(lambda connection: connection.execute(due))
    claim = claim_one(store)
    (outage,) = store.outages.of_project(PROJECT)
    assert (outage.waiting, outage.next_try) == (1, None)
    store.claims.record(claim, DONE)
    assert store.outages.of_project(PROJECT) == []


@pytest.mark.parametrize("reason", ["throttled", "conflict"])
def test_who_answers_with_a_refusal_is_not_away(store: Store, reason: str) -> None:
    receiver, _ = add_receiver(store)
    leave_waiting(store, receiver, "Not now.", reason)
    assert store.outages.of_project(PROJECT) == []


@pytest.mark.parametrize("reason", UNANSWERED)
def test_another_project_sees_nothing_of_it(store: Store, reason: str) -> None:
    receiver, _ = add_receiver(store)
    leave_waiting(store, receiver, "Connection refused.", reason)
    assert len(store.outages.of_project(PROJECT)) == 1
    assert store.outages.of_project("other") == []
