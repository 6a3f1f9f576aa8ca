"""Refused calls in the store: the newest twenty of each receiver."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from tests.store.builders import accept, add_receiver, as_one_group, work
from tests.support import PROJECT
from webhook_service.model.delivery import Delivery, DeliveryState, Refusal
from webhook_service.model.ids import DELIVERY, new_id
from webhook_service.model.pages import PageRequest
from webhook_service.store.database.database import Database
from webhook_service.store.history.refused import KEPT
from webhook_service.store.store import Store

REFUSAL = Refusal(401, "The call is not proven genuine.", "github", "dockerhub", "Look there.")


def refused(receiver: str, reason: str = "unauthenticated") -> Delivery:
    return Delivery(
        new_id(DELIVERY),
        PROJECT,
        receiver,
        DeliveryState.REFUSED,
        datetime.now(UTC),
        reason=reason,
        refusal=REFUSAL,
    )


def written(database: Database) -> None:
    """Wait for all that was submitted before."""
    database.write(lambda connection: connection.execute(text("SELECT 1")))


def listed(store: Store, **filters: str) -> list[Delivery]:
    return list(store.deliveries.page(PROJECT, PageRequest(1000, filters=filters)).items)


def test_a_refused_call_is_a_delivery_and_shown_alone_it_has_its_body(store: Store) -> None:
    receiver, _ = add_receiver(store)
    call = refused(receiver)
    store.refused.add(call, b'{"a": "\xff"}')
    written(store.database)
    (found,) = listed(store, receiver=receiver, state="refused")
    assert found == call
    shown = store.deliveries.get(PROJECT, call.id).refusal
    assert shown is not None and shown.body == '{"a": "\ufffd"}'
    assert (shown.status, shown.hint) == (401, "Look there.")


@pytest.mark.parametrize("together", [True, False])
def test_of_each_receiver_the_newest_twenty_stay_and_other_deliveries_too(
    store: Store, together: bool
) -> None:
    first, _ = add_receiver(store, "first")
    second, _ = add_receiver(store, "second")
    accepted = accept(store, first, work())
    calls = [refused(first) for _ in range(KEPT + 15)]
    for part in [calls] if together else [calls[:10], calls[10:]]:
        with as_one_group(store.database):
            for call in part:
                store.refused.add(call, b"")
            store.refused.add(refused(second), b"")
    written(store.database)
    kept = listed(store, receiver=first, state="refused")
    assert [each.id for each in kept] == [each.id for each in reversed(calls[-KEPT:])]
    assert len(listed(store, receiver=second)) == (1 if together else 2)
    assert store.deliveries.get(PROJECT, accepted.id).state is DeliveryState.ACCEPTED


def test_without_room_for_writes_the_refused_call_is_lost_and_nobody_waits(
    database_url: str, store: Store
) -> None:
    receiver, _ = add_receiver(store)
    store.close()
    store.refused.add(refused(receiver), b"")
    database = Database(database_url)
    with database.read() as connection:
        query = "SELECT count(*) FROM deliveries WHERE state = 'refused'"
        assert connection.exec_driver_sql(query).scalar_one() == 0
    database.close()
