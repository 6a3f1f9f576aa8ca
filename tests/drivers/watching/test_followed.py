from typing import Any

import pytest

from webhook_drivers.kubernetes.watching.followed import KEPT_SECONDS, FollowedObjects


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Woken(list[str]):
    def by(self, execution: str) -> Any:
        return lambda: self.append(execution)


@pytest.fixture
def woken() -> Woken:
    return Woken()


def shop(version: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": "shop", "resourceVersion": version, **more}}


def test_a_change_wakes_all_who_follow_the_object_once(woken: Woken) -> None:
    followed = FollowedObjects()
    for execution in ("one", "two", "two"):
        assert followed.follow("shop", execution, woken.by(execution))
    followed.follow("other", "three", woken.by("three"))
    for version in ("1", "2"):
        followed.changed("shop", shop(version))
    assert woken == ["one", "two"]
    assert followed.get("shop") == shop("2")


def test_what_is_told_again_wakes_nobody(woken: Woken) -> None:
    followed = FollowedObjects()
    followed.follow("shop", "one", woken.by("one"))
    followed.wrote("shop", shop("5"))
    followed.changed("shop", shop("5"))
    assert woken == []


def test_what_was_on_its_way_before_our_write_does_not_replace_it(woken: Woken) -> None:
    followed = FollowedObjects()
    followed.follow("shop", "one", woken.by("one"))
    followed.wrote("shop", shop("b"))
    followed.changed("shop", shop("a"))
    assert (woken, followed.get("shop")) == ([], shop("b"))
    for version in ("b", "c"):
        followed.changed("shop", shop(version))
    assert (woken, followed.get("shop")) == (["one"], shop("c"))


def test_an_answer_that_comes_after_the_news_of_it_replaces_nothing(woken: Woken) -> None:
    followed = FollowedObjects()
    followed.follow("shop", "one", woken.by("one"))
    for version in ("b", "c"):
        followed.changed("shop", shop(version))
    followed.wrote("shop", shop("b"))
    assert followed.get("shop") == shop("c")
    followed.changed("shop", shop("d"))
    assert followed.get("shop") == shop("d")


@pytest.mark.parametrize("anew", ["added", "deleted", "forget"])
def test_a_watch_that_begins_anew_need_not_tell_of_our_write(woken: Woken, anew: str) -> None:
    followed = FollowedObjects()
    followed.follow("shop", "one", woken.by("one"))
    followed.wrote("shop", shop("b"))
    told = {"added": ("shop", shop("c")), "deleted": ("shop",), "forget": ()}
    getattr(followed, anew)(*told[anew])
    followed.changed("shop", shop("d"))
    assert followed.get("shop") == shop("d")


def test_versions_are_never_compared_as_numbers(woken: Woken) -> None:
    followed = FollowedObjects()
    for version in ("a-9", "10", "9"):
        followed.follow("shop", "one", woken.by("one"))
        followed.changed("shop", shop(version))
        assert followed.get("shop") == shop(version)
    assert len(woken) == 3


def test_an_object_that_is_gone_wakes_and_is_not_known(woken: Woken) -> None:
    followed = FollowedObjects()
    followed.wrote("shop", shop("1"))
    assert followed.get("shop") is None  # nobody follows it
    followed.follow("shop", "one", woken.by("one"))
    followed.wrote("shop", shop("1"))
    followed.deleted("shop")
    assert (woken, followed.get("shop")) == (["one"], None)


def test_only_what_is_followed_is_kept_and_without_managed_fields(woken: Woken) -> None:
    followed = FollowedObjects()
    followed.follow("shop", "one", woken.by("one"))
    for number in range(1000):
        followed.changed(f"other-{number}", shop("1"))
    followed.changed("shop", shop("2", managedFields=[{"manager": "kubectl"}]))
    assert list(followed._objects) == ["shop"]
    assert followed.get("shop") == shop("2")


def test_there_is_room_for_so_many_and_what_is_not_looked_at_makes_room(woken: Woken) -> None:
    clock = Clock()
    followed = FollowedObjects(2, clock)
    assert followed.follow("a", "one", woken.by("one"))
    clock.now = KEPT_SECONDS - 1
    assert followed.follow("b", "two", woken.by("two"))
    assert not followed.follow("c", "three", woken.by("three"))
    assert followed.follow("b", "four", woken.by("four"))
    clock.now = KEPT_SECONDS + 1
    assert followed.prune()
    assert followed.follow("c", "three", woken.by("three"))
    clock.now *= 3
    assert not followed.prune()


def test_what_may_be_out_of_date_is_forgotten_but_followed(woken: Woken) -> None:
    followed = FollowedObjects()
    followed.follow("shop", "one", woken.by("one"))
    followed.wrote("shop", shop("1"))
    followed.forget()
    assert followed.get("shop") is None
    followed.changed("shop", shop("1"))
    assert woken == ["one"]
