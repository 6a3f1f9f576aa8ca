import time
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.store.builders import NOW, add_receiver, limited_store
from tests.support import PROJECT
from webhook_service.errors import (
    ChangedMeanwhile,
    InvalidConfig,
    LimitReached,
    NotFound,
    SettingsError,
)
from webhook_service.model.ids import RECEIVER, new_id, new_key
from webhook_service.model.pages import PageRequest
from webhook_service.model.receiver import Receiver, ReceiverSpec
from webhook_service.store.store import Store

SPEC = ReceiverSpec(name="shop", driver="stub")
V16_KEY = "TA5hAHRjNMOmJh8WxHo9S85YjTLW32tr9EUmrVME"


def test_a_receiver_is_found_by_its_key_in_its_project_only(store: Store) -> None:
    receiver, key = add_receiver(store)
    assert store.receivers.find_by_key(PROJECT, key) == (receiver, 1)
    assert store.receivers.find_by_key("other", key) is None
    assert store.receivers.find_by_key(PROJECT, new_key()) is None


def test_the_database_holds_no_key_in_clear(store: Store) -> None:
    _, key = add_receiver(store)
    with store.database.read() as connection:
        rows = connection.execute(text("SELECT * FROM keys")).all()
    assert key not in str(rows)


@pytest.mark.parametrize("project", [PROJECT, "other"])
def test_a_key_of_v1_6_is_taken_over_once(store: Store, project: str) -> None:
    receivers = [
        Receiver(new_id(RECEIVER), owner, ReceiverSpec(name=name, driver="stub"), NOW, NOW)
        for owner, name in [(PROJECT, "shop"), (project, "web")]
    ]
    store.receivers.add(receivers[0], V16_KEY)
    with pytest.raises(InvalidConfig, match="belongs to a receiver already"):
        store.receivers.add(receivers[1], V16_KEY)
    assert store.receivers.find_by_key(PROJECT, V16_KEY) == (receivers[0].id, 1)


def test_a_name_is_unique_in_its_project(store: Store) -> None:
    add_receiver(store)
    with pytest.raises(InvalidConfig, match="webhook shop already exists"):
        add_receiver(store)
    add_receiver(store, project="other")


def test_an_update_keeps_the_key_and_counts_the_version(store: Store) -> None:
    receiver, key = add_receiver(store)
    old = store.receivers.get(PROJECT, receiver)
    updated, _ = store.receivers.update(old, SPEC.model_copy(update={"name": "new"}))
    assert (updated.name, updated.version) == ("new", 2)
    assert store.receivers.get(PROJECT, receiver) == updated
    assert store.receivers.find_by_key(PROJECT, key) == (receiver, 2)


def test_an_update_cannot_take_the_name_of_another(store: Store) -> None:
    add_receiver(store, "shop")
    other, _ = add_receiver(store, "cart")
    with pytest.raises(InvalidConfig, match="already exists"):
        store.receivers.update(store.receivers.get(PROJECT, other), SPEC)


def test_an_update_of_what_was_changed_meanwhile_changes_nothing(store: Store) -> None:
    receiver, _ = add_receiver(store)
    old = store.receivers.get(PROJECT, receiver)
    suspended = store.receivers.suspend(PROJECT, receiver)
    with pytest.raises(ChangedMeanwhile, match="read it again"):
        store.receivers.update(old, SPEC.model_copy(update={"name": "new"}))
    assert store.receivers.get(PROJECT, receiver) == suspended
    assert (suspended.suspended, suspended.version) == (True, 2)


def test_an_update_of_what_was_deleted_meanwhile_finds_nothing(store: Store) -> None:
    receiver, _ = add_receiver(store)
    old = store.receivers.get(PROJECT, receiver)
    store.receivers.remove(PROJECT, receiver)
    with pytest.raises(NotFound):
        store.receivers.update(old, SPEC)


def test_a_deleted_receiver_is_gone_with_its_key(store: Store) -> None:
    receiver, key = add_receiver(store)
    store.receivers.remove(PROJECT, receiver)
    assert store.receivers.find_by_key(PROJECT, key) is None
    with pytest.raises(NotFound):
        store.receivers.get(PROJECT, receiver)


@pytest.mark.parametrize("project", ["other", PROJECT])
def test_a_foreign_receiver_answers_like_an_unknown_one(store: Store, project: str) -> None:
    receiver, key = add_receiver(store)
    id_ = receiver if project == "other" else "rcv_unknown"
    for call in (
        lambda: store.receivers.get(project, id_),
        lambda: store.receivers.suspend(project, id_),
        lambda: store.receivers.resume(project, id_),
        lambda: store.receivers.remove(project, id_),
        lambda: store.receivers.rotate(project, id_, new_key(), timedelta(0)),
    ):
        with pytest.raises(NotFound, match="^Webhook not found$"):
            call()
    assert store.receivers.find_by_key(PROJECT, key) is not None


def test_after_a_rotation_both_keys_work_until_the_overlap_ends(store: Store) -> None:
    receiver, old = add_receiver(store)
    new = new_key()
    store.receivers.rotate(PROJECT, receiver, new, timedelta(seconds=0.3))
    assert store.receivers.key(receiver).key == new
    assert store.receivers.find_by_key(PROJECT, old) is not None
    time.sleep(0.35)
    assert store.receivers.find_by_key(PROJECT, old) is None
    assert store.receivers.find_by_key(PROJECT, new) is not None


def test_a_rotation_without_overlap_ends_all_old_keys_at_once(store: Store) -> None:
    receiver, first = add_receiver(store)
    second, third = new_key(), new_key()
    store.receivers.rotate(PROJECT, receiver, second, timedelta(hours=1))
    store.receivers.rotate(PROJECT, receiver, third, timedelta(0))
    assert [store.receivers.find_by_key(PROJECT, key) for key in (first, second)] == [None, None]
    assert store.receivers.find_by_key(PROJECT, third) is not None


def test_a_key_sealed_for_another_receiver_does_not_open(store: Store) -> None:
    (first, _), (second, _) = add_receiver(store, "a"), add_receiver(store, "b")
    copy = text(
        "UPDATE keys SET sealed = (SELECT sealed FROM keys WHERE receiver = :a) WHERE receiver = :b"
    )
    store.database.write(lambda connection: connection.execute(copy, {"a": first, "b": second}))
    with pytest.raises(SettingsError, match="another row"):
        store.receivers.key(second)


def test_receivers_are_listed_newest_first(store: Store) -> None:
    first, _ = add_receiver(store, "a")
    time.sleep(0.002)
    second, _ = add_receiver(store, "b")
    add_receiver(store, "c", project="other")
    page = store.receivers.page(PROJECT, PageRequest())
    assert [receiver.id for receiver in page.items] == [second, first]


def test_a_project_has_so_many_receivers_and_may_replace_one(database_url: str) -> None:
    with closing(limited_store(database_url, max_receivers=2)) as store:
        first, _ = add_receiver(store, "a")
        add_receiver(store, "b")
        with pytest.raises(LimitReached, match="has 2 receivers.*Delete one") as caught:
            add_receiver(store, "c")
        assert caught.value.status == 429
        add_receiver(store, "c", project="other")
        store.receivers.remove(PROJECT, first)
        add_receiver(store, "c")
