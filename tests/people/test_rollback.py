"""Which push runs, and where a rollback leads, from what is recorded."""

from dataclasses import replace
from typing import Any

import pytest

from tests.people.builders import failed, revision, seen
from webhook_service.driver import Observed
from webhook_service.errors import Change, InvalidRequest
from webhook_service.model.execution import ExecutionState
from webhook_service.model.history.revision import BY_HAND, Sight
from webhook_service.people.rollback import choose_slot, way_back

DIGEST = "sha256:" + "a" * 64

FIRST = revision("1", before="acme/shop:0")
SECOND = revision("2", before="docker.io/acme/shop:1")
THIRD = revision("3", before="docker.io/acme/shop:2")
PUSHES = [THIRD, SECOND, FIRST]


def test_the_way_back_is_what_the_newest_push_replaced() -> None:
    way = way_back(PUSHES)
    assert (way.event.image, way.undone) == ("docker.io/acme/shop:2", THIRD)


def test_a_change_by_hand_in_between_is_what_comes_back() -> None:
    edited = revision("3", before="docker.io/acme/shop:by-hand")
    assert way_back([edited, SECOND]).event.tag == "by-hand"


def test_the_digest_that_ran_comes_back() -> None:
    pinned = revision("3", before=f"docker.io/acme/shop:2@{DIGEST}")
    assert way_back([pinned]).event.digest == DIGEST


def test_without_recorded_changes_the_push_before_comes_back() -> None:
    assert way_back([revision("3"), SECOND]).event == SECOND.event


def test_a_second_rollback_goes_further_back() -> None:
    back = revision("2", before="docker.io/acme/shop:3", rolls_back=THIRD.identity)
    way = way_back([back, *PUSHES])
    assert (way.event.tag, way.undone) == ("1", SECOND)
    again = revision("1", before="docker.io/acme/shop:2", rolls_back=SECOND.identity)
    way = way_back([again, back, *PUSHES])
    assert (way.event.tag, way.undone) == ("0", FIRST)


def test_a_second_rollback_without_recorded_changes_goes_one_push_further_back() -> None:
    first, second, third = revision("1"), revision("2"), revision("3")
    back = revision("2", rolls_back=third.identity)
    way = way_back([back, third, second, first])
    assert (way.event, way.undone) == (first.event, second)


def test_after_a_rollback_to_what_no_push_brought_there_is_nothing_older() -> None:
    back = revision("0", before="docker.io/acme/shop:1", rolls_back=FIRST.identity)
    with pytest.raises(InvalidRequest, match="Nothing that ran before is recorded"):
        way_back([back, FIRST])


def test_what_a_rollout_on_its_way_replaces_comes_back() -> None:
    rolling = revision("4", before="docker.io/acme/shop:3")
    assert way_back([rolling, *PUSHES]).event.tag == "3"
    assert way_back([revision("4"), *PUSHES]).event.tag == "3"


@pytest.mark.parametrize("to", [FIRST.id, "acme/shop:1", "docker.io/acme/shop:1"])
def test_a_revision_or_image_can_be_named(to: str) -> None:
    way = way_back(PUSHES, to)
    assert (way.event.tag, way.undone) == ("1", THIRD)


def test_an_image_that_a_push_replaced_can_be_named() -> None:
    assert way_back(PUSHES, "acme/shop:0").event.tag == "0"


def test_an_image_can_be_named_by_its_digest() -> None:
    pinned = revision("2", digest=DIGEST)
    assert way_back([THIRD, pinned], f"acme/shop@{DIGEST}").event == pinned.event


@pytest.mark.parametrize("to", ["acme/shop:9", "acme/shop", "acme/other:1", "exe_unknown"])
def test_what_never_ran_cannot_be_named(to: str) -> None:
    with pytest.raises(InvalidRequest, match="no execution or image that this receiver"):
        way_back(PUSHES, to)


def test_there_is_no_way_back_to_what_runs() -> None:
    with pytest.raises(InvalidRequest, match="is what runs"):
        way_back(PUSHES, THIRD.id)
    with pytest.raises(InvalidRequest, match="pushed anew without its digest"):
        way_back([revision("latest", before="docker.io/acme/shop:latest")])


def test_several_images_of_one_target_have_to_be_told_apart() -> None:
    both = tuple(Change("a", f"containers[{n}]", f"acme/shop:{n}", "acme/shop:3") for n in (1, 2))
    mixed = replace(THIRD, changes=both)
    with pytest.raises(InvalidRequest, match="docker.io/acme/shop:1, docker.io/acme/shop:2"):
        way_back([mixed])


def test_changes_that_are_no_image_of_the_repository_are_passed_over() -> None:
    others = (Change("a", "push", "0123abcd", "x"), Change("a", "image", "acme/proxy:1", "x"))
    mixed = replace(THIRD, changes=others)
    assert way_back([mixed, SECOND]).event == SECOND.event


def test_one_of_several_slots_is_chosen_by_repository_or_revision() -> None:
    proxy = revision("7", repository="acme/proxy", slot="other")
    slots = [PUSHES, [proxy]]
    assert choose_slot(slots, repository="acme/proxy") == [proxy]
    assert choose_slot(slots, to=proxy.id) == [proxy]
    assert choose_slot(slots, to="acme/shop:1") == PUSHES
    with pytest.raises(InvalidRequest, match="docker.io/acme/proxy, docker.io/acme/shop"):
        choose_slot(slots)
    with pytest.raises(InvalidRequest, match="'repository'"):
        choose_slot(slots, repository="acme/else")
    with pytest.raises(InvalidRequest, match="recorded yet"):
        choose_slot([])


BAD = failed("4", before="docker.io/acme/shop:3")
CANCELLED = revision("4", "docker.io/acme/shop:3", state=ExecutionState.CANCELLED)


@pytest.mark.parametrize("newest", [BAD, CANCELLED])
@pytest.mark.parametrize("sight", [Sight(None), seen("acme/shop:4")])
def test_what_did_not_complete_is_undone_and_not_what_ran_before(newest: Any, sight: Sight) -> None:
    way = way_back([newest, *PUSHES], sight=sight)
    assert (way.event.tag, way.undone, way.rolls_back) == ("3", newest, newest.identity)


def test_a_first_push_that_failed_goes_back_to_what_was_there() -> None:
    assert way_back([failed("1", before="acme/shop:0")]).event.tag == "0"


def test_what_the_target_itself_remembers_is_the_way_where_nothing_is_recorded() -> None:
    sight = seen("acme/shop:1", replaced="acme/shop:0")
    assert way_back([failed("1")], sight=sight).event.tag == "0"
    assert way_back([failed("1")], "acme/shop:0", sight).event.tag == "0"


def test_an_image_that_itself_failed_is_passed_over() -> None:
    worse = failed("5", before="docker.io/acme/shop:4")
    assert way_back([worse, BAD, *PUSHES]).event.tag == "3"
    mended = revision("5", before="docker.io/acme/shop:4")
    assert way_back([mended, BAD, *PUSHES]).event.tag == "3"


def test_a_rollback_that_failed_goes_to_what_ran_before_it() -> None:
    stuck = replace(failed("2", before="docker.io/acme/shop:3"), rolls_back=THIRD.identity)
    way = way_back([stuck, *PUSHES], sight=seen("acme/shop:2"))
    assert (way.event.tag, way.undone) == ("3", stuck)


def test_what_undid_itself_does_not_run() -> None:
    undone = failed("4", "docker.io/acme/shop:3", "rolled_back")
    way = way_back([undone, *PUSHES])
    assert (way.event.tag, way.undone) == ("2", THIRD)


def test_what_people_set_by_hand_gives_way_to_the_last_good_one() -> None:
    way = way_back(PUSHES, sight=seen("acme/shop:hotfix"))
    assert (way.event.tag, way.undone, way.rolls_back) == ("3", THIRD, BY_HAND)
    assert way_back([BAD, *PUSHES], sight=seen("acme/shop:hotfix")).event.tag == "3"


def test_after_an_undo_by_hand_the_way_leads_further_back() -> None:
    way = way_back(PUSHES, sight=seen("acme/shop:2"))
    assert (way.event.tag, way.undone) == ("1", SECOND)


def test_beside_an_unfinished_rollout_the_rollout_is_what_is_undone() -> None:
    sight = seen("acme/shop:3", unfinished=True)
    way = way_back([CANCELLED, *PUSHES], sight=sight)
    assert (way.event.tag, way.undone) == ("3", CANCELLED)
    assert way_back([CANCELLED, *PUSHES], "acme/shop:3", sight).event.tag == "3"


def test_targets_go_back_each_to_their_own_image() -> None:
    both = (
        Change("a", "image", "acme/shop:1", "acme/shop:3"),
        Change("b", "image", "acme/shop:2", "acme/shop:3"),
    )
    way = way_back([revision("3", changes=both)])
    assert way.images == {"a": "docker.io/acme/shop:1", "b": "docker.io/acme/shop:2"}


def test_only_targets_that_run_what_is_undone_are_moved() -> None:
    changes = tuple(Change(each, "image", "acme/shop:1", "acme/shop:2") for each in "ab")
    half = revision("2", state=ExecutionState.FAILED, changes=changes)
    first = revision("1", changes=tuple(replace(c, before="acme/shop:0") for c in changes))
    a, b, c = (
        Observed(target=t, image=f"acme/shop:{i}") for t, i in (("a", 2), ("b", 1), ("c", 9))
    )
    way = way_back([half, first], sight=Sight((a, b, c)))
    assert (way.event.tag, way.images) == ("1", {"a": "docker.io/acme/shop:1"})


def test_a_target_that_was_set_right_alone_is_moved_with_the_others_after_that() -> None:
    both = tuple(Change(each, "image", "acme/shop:1", "acme/shop:2") for each in "ab")
    push = revision("2", changes=both)
    right = (Change("b", "image", "acme/shop:hand", "acme/shop:2"),)
    back = revision("2", changes=right, rolls_back=BY_HAND)
    a, b = (Observed(target=each, image="acme/shop:2", ours=True) for each in "ab")
    way = way_back([back, push], sight=Sight((a, b)))
    assert (way.event.tag, way.undone, way.images) == ("1", push, {})
