"""What was seen at registries, and who is to be looked after."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.store.builders import NOW, accept, add_receiver, work
from tests.support import PROJECT
from webhook_service.driver import PushEvent
from webhook_service.images import parse_image
from webhook_service.model.delivery import Decision, Delivery, DeliveryState
from webhook_service.model.ids import DELIVERY, new_id, new_key
from webhook_service.model.receiver import Receiver, ReceiverSpec
from webhook_service.model.rules.registry import RegistryRule
from webhook_service.store import seen_tags as sightings
from webhook_service.store.seen_tags import CLIENT, Sighting
from webhook_service.store.store import Store

SHOP = parse_image("acme/shop")
SPEC = ReceiverSpec(name="polls", driver="stub", registry=RegistryRule(poll=900))


@pytest.fixture
def receiver(store: Store) -> str:
    """One that polls."""
    receiver = Receiver("rcv_polls", PROJECT, SPEC, NOW, NOW)
    store.receivers.add(receiver, new_key())
    return receiver.id


def test_what_was_seen_is_remembered_in_its_newest_state(store: Store, receiver: str) -> None:
    first = {str(number): Sighting(None, 0, NOW) for number in range(1200)}
    store.sightings.note(receiver, SHOP.name, first)
    moved = Sighting("sha256:1", 1, NOW + timedelta(hours=1))
    store.sightings.note(receiver, SHOP.name, {"7": moved, "new": moved})
    assert store.sightings.known(receiver, SHOP.name) == {**first, "7": moved, "new": moved}
    assert store.sightings.known(receiver, "docker.io/acme/other") == {}


def test_nothing_is_remembered_for_a_receiver_that_is_gone(store: Store, receiver: str) -> None:
    store.sightings.note(receiver, SHOP.name, {"1": Sighting(None, 0, NOW)})
    store.receivers.remove(PROJECT, receiver)
    store.sightings.note(receiver, SHOP.name, {"2": Sighting(None, 0, NOW)})
    assert store.sightings.known(receiver, SHOP.name) == {}


def test_a_changed_receiver_begins_anew(store: Store, receiver: str) -> None:
    store.sightings.note(receiver, SHOP.name, {"1": Sighting(None, 0, NOW)})
    store.sightings.rest(receiver, 900)
    store.receivers.update(store.receivers.get(PROJECT, receiver), SPEC)
    assert store.sightings.known(receiver, SHOP.name) == {}
    assert store.sightings.next_due() == (PROJECT, receiver)


def test_only_receivers_that_poll_are_due_and_the_longest_due_first(
    store: Store, receiver: str
) -> None:
    add_receiver(store)
    other = Receiver("rcv_other", PROJECT, replace_name("other"), NOW, NOW)
    store.receivers.add(other, new_key())
    store.sightings.rest(receiver, -10)
    store.sightings.rest(other.id, -20)
    assert store.sightings.next_due() == (PROJECT, other.id)
    store.sightings.rest(other.id, 900)
    assert store.sightings.next_due() == (PROJECT, receiver)
    found = store.receivers.get(PROJECT, receiver)
    store.receivers.update(found, SPEC.model_copy(update={"registry": None}))
    assert store.sightings.next_due() is None


def test_what_calls_told_of_is_known(
    store: Store, receiver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(store, receiver, work("1.0.0"))
    elsewhere = PushEvent(registry="docker.io", repository="acme/else", tag="1")
    accept(store, receiver, replace(work("1"), event=elsewhere))
    found(store, receiver, "3.0.0")
    now, day = store.now(), timedelta(days=1)
    told = store.sightings.told(receiver, SHOP, now - day)
    assert told is not None and [push.tag for push in told] == ["1.0.0"]
    assert store.sightings.told(receiver, SHOP, now + day) == []
    monkeypatch.setattr(sightings, "MAX_DELIVERIES", 2)
    assert store.sightings.told(receiver, SHOP, now - day) is None
    assert store.sightings.told(receiver, SHOP, now + day) == []


def found(store: Store, receiver: str, tag: str) -> None:
    """A push that no call told of."""
    delivery = Delivery(
        new_id(DELIVERY), PROJECT, receiver, DeliveryState.IGNORED, NOW, client=CLIENT
    )
    store.intake.accept(Decision(delivery, [work(tag)], "stub", CLIENT, b""))


def replace_name(name: str) -> ReceiverSpec:
    return SPEC.model_copy(update={"name": name})
