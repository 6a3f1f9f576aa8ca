"""A queued execution says behind what it waits, since when, and what frees it."""

from dataclasses import replace

from tests.store.builders import accept, add_receiver, request, work
from tests.store.queue.claiming import DONE, claim_one
from tests.support import PROJECT
from webhook_service.model.execution import ExecutionState, Verdict
from webhook_service.model.pages import PageRequest
from webhook_service.store.store import Store

ROLLING = Verdict(ExecutionState.WAITING, "rolling", pause=60)


def test_it_names_what_is_in_front_since_when_and_the_command(store: Store) -> None:
    receiver, _ = add_receiver(store)
    first, second = request(), request()
    accept(store, receiver, first)
    store.claims.record(claim_one(store), ROLLING)
    accept(store, receiver, second)
    began = store.executions.get(PROJECT, first.execution).attempts[0].started
    message = store.executions.get(PROJECT, second.execution).message
    assert message == (
        f"It waits behind {first.execution}, which runs since {began:%Y-%m-%d %H:%M:%S} UTC: "
        f"webhook-service execution abort {first.execution} --project {PROJECT} stops that one "
        "and goes back."
    )
    page = store.executions.page(PROJECT, PageRequest())
    assert [each.message for each in page.items] == [message, "rolling"]


def test_it_says_when_what_is_in_front_makes_room(store: Store) -> None:
    receiver, _ = add_receiver(store)
    older, newer = work("1", at=1), work("2", at=2)
    accept(store, receiver, older)
    store.claims.record(claim_one(store), ROLLING)
    accept(store, receiver, newer)
    store.claims.record(claim_one(store), ROLLING)
    message = store.executions.get(PROJECT, newer.execution).message
    assert message.startswith(f"It waits behind {older.execution}, which runs since")
    assert message.endswith("and is about to make room.")


def test_with_nothing_in_front_it_waits_for_a_worker_only(store: Store) -> None:
    receiver, _ = add_receiver(store)
    push = work()
    accept(store, receiver, push, replace(work(slot="other")))
    message = store.executions.get(PROJECT, push.execution).message
    assert message == "Nothing is in front of it: the next free worker runs it."
    for claim in store.claims.claim(2):
        store.claims.record(claim, DONE)
    assert store.executions.get(PROJECT, push.execution).message == DONE.message
