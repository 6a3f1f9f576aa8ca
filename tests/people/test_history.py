"""What the history of a slot says of its revisions, beside what its target runs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.people.builders import NOW, failed, revision, seen
from webhook_service.driver import Observed
from webhook_service.model.execution import Execution, ExecutionState
from webhook_service.model.history.revision import Revision, Sight, Standing
from webhook_service.people.history import drift, history

FIRST = revision("1", before="acme/shop:0")
SECOND = revision("2", before="docker.io/acme/shop:1")
THIRD = revision("3", before="docker.io/acme/shop:2")
PUSHES = [THIRD, SECOND, FIRST]
ROLLING = revision("4", "acme/shop:3", state=ExecutionState.WAITING)


def newest(found: list[Execution], sight: Sight | None) -> Revision:
    return history(found, sight)[0]


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


def test_what_runs_is_live_by_sight() -> None:
    found = newest(PUSHES, seen("acme/shop:3", ours=True))
    assert (found.live, found.standing, found.note) == (True, Standing.LIVE, "")


def test_drift_names_the_image_and_who_set_it() -> None:
    at = datetime(2026, 11, 26, 10, 0, 5, tzinfo=UTC)
    found = newest(PUSHES, seen("acme/shop:hand", by="kubectl-edit", at=at))
    assert (found.live, found.standing) == (False, Standing.DRIFTED)
    assert found.note == "shop runs acme/shop:hand, set by kubectl-edit at 2026-11-26 10:00:05 UTC"


def test_an_older_image_that_runs_again_is_the_live_one() -> None:
    shown = history(PUSHES, seen("acme/shop:1", by="kubectl-rollout"))
    assert [item.live for item in shown] == [False, False, True]


def test_what_the_service_left_by_itself_is_no_drift() -> None:
    sight = Sight((Observed(target="shop", image="acme/shop:2", by="webhook-service", ours=True),))
    found = newest([failed("3", "acme/shop:2"), SECOND], sight)
    assert (found.live, found.standing) == (False, None)
    assert found.note == "shop runs acme/shop:2, set by webhook-service"


def test_what_a_push_never_replaced_is_no_drift() -> None:
    left = revision("4", "acme/shop:hand", state=ExecutionState.CANCELLED)
    before, after = (NOW + timedelta(seconds=seconds) for seconds in (-60, 60))
    found = newest([left, *PUSHES], seen("acme/shop:hand", by="kubectl", at=before))
    assert (found.live, found.standing) == (False, None)
    for at in (after, NOW):
        came = replace(left, created=NOW + timedelta(seconds=0.5))
        found = newest([came, *PUSHES], seen("acme/shop:hand", by="kubectl", at=at))
        assert found.standing is Standing.DRIFTED


def test_a_rollout_under_way_has_not_drifted() -> None:
    assert newest([ROLLING, *PUSHES], seen("acme/shop:3", by="x")).standing is Standing.ROLLING
    settled = replace(ROLLING, settled=True)
    assert newest([settled, *PUSHES], seen("acme/shop:4")).standing is Standing.LIVE


def test_an_unfinished_rollout_is_still_live() -> None:
    stuck = revision("4", "acme/shop:3", state=ExecutionState.CANCELLED)
    found = newest([stuck, *PUSHES], seen("acme/shop:3", unfinished=True))
    assert (found.live, found.standing) == (True, Standing.LIVE)
    assert "not brought to its end" in found.note


def test_nobody_knows_what_runs_where_nobody_can_look() -> None:
    found = newest(PUSHES, Sight(None, "The cluster does not answer."))
    assert (found.live, found.standing) == (True, Standing.UNKNOWN)
    assert found.note == "The cluster does not answer."
    gone = newest(PUSHES, Sight(()))
    assert (gone.live, gone.standing) == (False, Standing.DRIFTED)


def test_a_target_that_the_receiver_no_longer_has_is_not_spoken_of() -> None:
    found = newest(PUSHES, None)
    assert (found.live, found.standing, found.note) == (False, None, "")


def test_drift_is_what_others_set_after_the_newest_push() -> None:
    hand, ours = (Observed(target="shop", image="acme/shop:9", ours=own) for own in (False, True))
    assert drift(PUSHES, [hand, ours]) == [hand]
    assert drift([ROLLING, *PUSHES], [hand]) == []
    assert drift([failed("9", "acme/shop:3", "rolled_back")], [replace(hand, image="x:1")]) == []


@pytest.mark.parametrize(
    ("state", "reason"),
    [(ExecutionState.CANCELLED, "aborted"), (ExecutionState.SUPERSEDED, "withdrawn")],
)
def test_what_was_before_a_push_that_was_taken_back_is_what_should_run(
    state: ExecutionState, reason: str
) -> None:
    taken_back = revision("9", "acme/shop:3", state=state, reason=reason)
    revisions = history([taken_back, *PUSHES], seen("acme/shop:3"))
    (should,) = [each for each in revisions if each.standing]
    assert (should.execution, should.standing, should.live) == (PUSHES[0], Standing.LIVE, True)
    assert [each.held for each in revisions] == [True, False, False, False]
    assert not drift([taken_back, *PUSHES], seen("acme/shop:3").found or ())


def test_what_failed_and_was_replaced_by_hand_is_no_drift_of_something_deployed() -> None:
    found = [failed("9", "acme/shop:3"), *PUSHES]
    assert not drift(found, seen("acme/shop:hand").found or ())
