import threading
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.store.builders import (
    accept,
    add_receiver,
    as_one_group,
    decision,
    limited_store,
    request,
    work,
)
from tests.support import PROJECT
from webhook_service.driver import Request
from webhook_service.errors import LimitReached, StoreUnavailable
from webhook_service.model.delivery import Basis, Decision, Delivery, DeliveryState, Item
from webhook_service.model.ids import fingerprint, new_key
from webhook_service.model.pages import PageRequest
from webhook_service.store.intake import MAX_KEPT
from webhook_service.store.store import Store
from webhook_service.store.tables import deliveries


def test_an_accepted_delivery_reads_back_equal(store: Store) -> None:
    receiver, _ = add_receiver(store)
    accepted = accept(store, receiver, work(), work(slot="other"))
    assert accepted.state is DeliveryState.ACCEPTED
    assert len(accepted.executions) == 2
    assert store.deliveries.get(PROJECT, accepted.id) == accepted


def test_a_duplicate_names_the_first_delivery_and_brings_no_work(store: Store) -> None:
    receiver, _ = add_receiver(store)
    first = accept(store, receiver, work(identity="same"))
    again = accept(store, receiver, work(identity="same"))
    assert (again.state, again.duplicate_of) == (DeliveryState.DUPLICATE, first.id)
    assert again.executions == first.executions
    assert store.executions.backlog().open == {"queued": 1}


def test_two_copies_in_one_call_are_one_execution(store: Store) -> None:
    receiver, _ = add_receiver(store)
    delivery = accept(store, receiver, work(identity="same"), work(identity="same"))
    assert delivery.state is DeliveryState.ACCEPTED
    assert [item.state for item in delivery.items] == ["accepted", "duplicate"]
    assert store.executions.backlog().open == {"queued": 1}


def test_receivers_do_not_share_duplicates(store: Store) -> None:
    (first, _), (second, _) = add_receiver(store, "a"), add_receiver(store, "b")
    accept(store, first, work(identity="same"))
    assert accept(store, second, work(identity="same")).state is DeliveryState.ACCEPTED


def test_parallel_copies_are_accepted_once(store: Store) -> None:
    receiver, _ = add_receiver(store)
    states: list[DeliveryState] = []

    def send() -> None:
        states.append(accept(store, receiver, work(identity="same")).state)

    threads = [threading.Thread(target=send) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(states) == ["accepted"] + ["duplicate"] * 11


def test_an_ignored_call_is_kept_with_its_reason(store: Store) -> None:
    receiver, _ = add_receiver(store)
    accepted = accept(store, receiver)
    item = Item("acme/shop:x", DeliveryState.IGNORED, "tag_mismatch")
    ignored = replace(accepted, id="dlv_other", reason="tag_mismatch", items=(item,))
    stored = store.intake.accept(Decision(ignored, (), "stub", "dockerhub", b"{}"))
    assert (stored.state, stored.reason) == (DeliveryState.IGNORED, "tag_mismatch")
    assert store.deliveries.get(PROJECT, "dlv_other") == stored


@pytest.mark.parametrize("works", [(), ("same",)], ids=["ignored", "duplicate"])
def test_of_a_call_that_brings_no_work_four_kilobytes_are_kept(
    store: Store, works: tuple[str, ...]
) -> None:
    receiver, _ = add_receiver(store)
    accept(store, receiver, *(work(identity=each) for each in works))
    call = decision(receiver, *(work(identity=each) for each in works))
    stored = store.intake.accept(replace(call, body=b"x" * 760_000))
    assert stored.state is (DeliveryState.DUPLICATE if works else DeliveryState.IGNORED)
    body = _body(store, stored.id)
    assert len(body) == MAX_KEPT
    assert body.startswith(b"xxx") and body.endswith(b"[cut: it had 760000 bytes]")


def test_a_body_that_brought_work_or_is_small_is_kept_whole(store: Store) -> None:
    receiver, _ = add_receiver(store)
    large, small = b"x" * 760_000, b"y" * MAX_KEPT
    accepted = store.intake.accept(replace(decision(receiver, work()), body=large))
    ignored = store.intake.accept(replace(decision(receiver), body=small))
    assert (_body(store, accepted.id), _body(store, ignored.id)) == (large, small)


def test_a_receiver_is_refused_after_its_bytes_of_a_day(database_url: str) -> None:
    with closing(limited_store(database_url, receiver_bytes_per_day=100_000)) as store:
        receiver, _ = add_receiver(store)
        call = replace(decision(receiver, work()), body=b"x" * 100_000)
        stored = store.intake.accept(call)
        with pytest.raises(LimitReached, match="WEBHOOK_SERVICE_RECEIVER_BYTES_PER_DAY"):
            accept(store, receiver, work())
        assert [each.id for each in store.deliveries.page(PROJECT, PageRequest()).items] == [
            stored.id
        ]


def test_bytes_of_a_group_that_fails_and_runs_again_are_counted_once(database_url: str) -> None:
    with closing(limited_store(database_url, receiver_bytes_per_day=300_000)) as store:
        receiver, _ = add_receiver(store)
        call = replace(decision(receiver, work()), body=b"x" * 200_000)
        taken = replace(call, works=(), delivery=replace(call.delivery, project="p" * 20))
        with as_one_group(store.database):
            first, second = store.intake.submit(call), store.intake.submit(taken)
        assert first.result(5) is not None
        assert isinstance(second.exception(5), StoreUnavailable)
        accept(store, receiver)  # 400,000 would be too many


def test_what_events_hold_is_counted_too(database_url: str) -> None:
    with closing(limited_store(database_url, receiver_bytes_per_day=100_000)) as store:
        receiver, _ = add_receiver(store)
        raw = replace(request(), event=Request(body=b"x" * 90_000))
        store.intake.accept(decision(receiver, raw))
        with pytest.raises(LimitReached):
            accept(store, receiver)


def _body(store: Store, delivery: str) -> bytes:
    with store.database.read() as connection:
        query = select(deliveries.c.body).where(deliveries.c.id == delivery)
        return bytes(connection.execute(query).scalar_one())


def _on(basis: Basis) -> Decision:
    return decision(basis.receiver, work(), basis=basis)


def _stored(store: Store, *decisions: Decision) -> list[Delivery | None]:
    """Store decisions as one group."""
    with as_one_group(store.database):
        futures = [store.intake.submit(each) for each in decisions]
    return [future.result(5) for future in futures]


def test_what_is_decided_by_a_live_key_and_the_newest_version_is_stored(store: Store) -> None:
    receiver, key = add_receiver(store)
    delivery = store.intake.accept(_on(Basis(fingerprint(key), receiver, 1)))
    assert store.deliveries.get(PROJECT, delivery.id) == delivery


def test_nothing_is_stored_of_what_is_based_on_the_past(store: Store) -> None:
    (deleted, first), (rotated, second) = add_receiver(store, "a"), add_receiver(store, "b")
    (updated, third), (unchanged, fourth) = add_receiver(store, "c"), add_receiver(store, "d")
    store.receivers.remove(PROJECT, deleted)
    store.receivers.rotate(PROJECT, rotated, new_key(), timedelta(0))
    found = store.receivers.get(PROJECT, updated)
    store.receivers.update(found, found.spec)
    ids, keys = (deleted, rotated, updated, unchanged), (first, second, third, fourth)
    bases = [Basis(fingerprint(key), id_, 1) for id_, key in zip(ids, keys, strict=True)]
    found = _stored(store, *map(_on, bases))
    assert [delivery is not None for delivery in found] == [False, False, False, True]
    assert store.executions.backlog().open == {"queued": 1}
    with pytest.raises(StoreUnavailable, match="nothing was stored"):
        store.intake.accept(_on(bases[0]))


def test_a_large_group_with_copies_in_it_is_decided_one_by_one(store: Store) -> None:
    receiver, _ = add_receiver(store)
    first = accept(store, receiver, work(identity="push-of-before"))
    names = ["push-of-before", *(f"push-{number % 90}" for number in range(100))]
    group = [decision(receiver, work(identity=name)) for name in names]
    found = [delivery for delivery in _stored(store, *group) if delivery is not None]
    assert [delivery.state for delivery in found] == (
        ["duplicate"] + ["accepted"] * 90 + ["duplicate"] * 10
    )
    assert found[0].duplicate_of == first.id
    assert [each.executions for each in found[91:]] == [each.executions for each in found[1:11]]
    assert [store.deliveries.get(PROJECT, each.id) for each in found] == found
    assert store.executions.backlog().open == {"queued": 91}


def test_a_call_that_cannot_be_stored_does_not_spoil_its_group(store: Store) -> None:
    receiver, _ = add_receiver(store)
    good, bad = (decision(receiver, work()) for _ in range(2))
    bad = replace(bad, delivery=replace(bad.delivery, id=good.delivery.id))
    with as_one_group(store.database):
        first, second = (store.intake.submit(each) for each in (good, bad))
    assert first.result(5) is not None
    with pytest.raises(StoreUnavailable, match="nothing was stored"):
        second.result(5)
    assert store.executions.backlog().open == {"queued": 1}
