"""Which push runs, and where a rollback leads, from what is recorded."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from webhook_service.driver import PushEvent
from webhook_service.errors import Change, InvalidRequest
from webhook_service.model.execution import Execution, ExecutionState
from webhook_service.people.rollback import choose_slot, history, way_back

NOW = datetime(2026, 11, 22, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64
_numbers = count()


def revision(
    tag: str,
    before: str | None = None,
    rolls_back: str | None = None,
    repository: str = "acme/shop",
    digest: str | None = None,
    slot: str = "slot",
) -> Execution:
    """A push of the tag, or a rollback to it."""
    number = next(_numbers)
    changes = (Change("shop", "image", before, f"{repository}:{tag}"),) if before else ()
    return Execution(
        id=f"exe_{number}",
        project="1a5",
        receiver="rcv_1",
        delivery="dlv_1",
        driver="stub",
        slot=slot,
        state=ExecutionState.SUCCEEDED,
        event=PushEvent(registry="docker.io", repository=repository, tag=tag, digest=digest),
        identity=f"push {tag}",
        order_key="",
        created=NOW,
        finished=NOW + timedelta(seconds=number),
        changes=changes,
        rolls_back=rolls_back,
    )


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


def test_several_images_before_have_to_be_told_apart() -> None:
    both = (Change("a", "image", "acme/shop:1", "x"), Change("b", "image", "acme/shop:2", "x"))
    mixed = replace(THIRD, changes=both)
    with pytest.raises(InvalidRequest, match="docker.io/acme/shop:1, docker.io/acme/shop:2"):
        way_back([mixed])


def test_changes_that_are_no_image_of_the_repository_are_passed_over() -> None:
    others = (Change("a", "push", "0123abcd", "x"), Change("a", "image", "acme/proxy:1", "x"))
    mixed = replace(THIRD, changes=others)
    assert way_back([mixed, SECOND]).event == SECOND.event


def test_the_history_says_what_is_live_and_what_is_held() -> None:
    back = revision("2", before="docker.io/acme/shop:3", rolls_back=THIRD.identity)
    shown = [(r.execution, r.live, r.held) for r in history([back, *PUSHES])]
    assert shown == [
        (back, False, False),
        (THIRD, False, True),
        (SECOND, True, False),
        (FIRST, False, False),
    ]
    assert history([]) == []


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
