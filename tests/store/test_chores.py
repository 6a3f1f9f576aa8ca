"""Whose turn a chore is."""

import pytest

from webhook_service.store.store import Store


def test_a_chore_is_taken_by_one_host_until_its_lease_ends(store: Store) -> None:
    assert store.chores.waiting(["sweep"]) == ["sweep"]
    assert store.chores.take("sweep", lease=60) == ""
    assert store.chores.take("sweep", lease=60) is None
    assert store.chores.waiting(["sweep"]) == []


def test_a_host_that_died_loses_the_chore_and_not_its_place(store: Store) -> None:
    store.chores.take("sweep", lease=60)
    store.chores.put_back("sweep", "500", seconds=-1)
    assert store.chores.take("sweep", lease=60) == "500"


@pytest.mark.parametrize(("seconds", "due"), [(3600, False), (0, True)])
def test_a_chore_rests_after_its_end(store: Store, seconds: float, due: bool) -> None:
    store.chores.take("sweep", lease=60)
    store.chores.put_back("sweep", "", seconds)
    assert (store.chores.waiting(["sweep", "other"]) == ["sweep", "other"]) is due
