"""Follows a rollout by what a watch shows of its workload, without asking for it.

Only what goes its way is believed. What is in the cache may be out of date, but if it has the
record of this very execution, it was read after our own PATCH. Everything else is looked at anew
and decided as without a watch: an end that is bad, a way back, whatever is to be written.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from webhook_drivers.kubernetes.api.resources import Json
from webhook_drivers.kubernetes.images.rollout import progress
from webhook_drivers.kubernetes.images.step_state import Phase, RolloutState
from webhook_drivers.kubernetes.images.stopwatch import FIRST_WAIT
from webhook_drivers.kubernetes.images.unfinished_mark import Mark
from webhook_drivers.kubernetes.images.update import ImageUpdate
from webhook_drivers.kubernetes.strategies.strategy import Look, Step
from webhook_service import Outcome, Wait


def step(update: ImageUpdate) -> Outcome:
    """Do the next step, the first one too; see ``ImageUpdate.step``."""
    push, wake = update.push, update.push.context.wake
    if wake is None or not update.strategy.is_shown_by(push.workload):
        return update.step()
    follow = partial(update.cluster.follow, push.address, push.context.execution, wake)
    # Before anything is read: what changes from now on wakes this execution.
    followed = follow(begin=False)
    shown = update.cluster.watched(push.address)
    outcome = (_glance(update, shown) if shown else None) or update.step()
    if isinstance(outcome, Wait) and (followed or follow(begin=True)):
        return _patient(outcome, update.timeout)
    return outcome


def _glance(update: ImageUpdate, obj: Json) -> Outcome | None:
    """What comes of a rollout that goes its way or is complete; None if it must be read."""
    push, state = update.push, RolloutState.read(update.push.context.state)
    if state is None or state.phase is not Phase.ROLLING or state.stage:
        return None
    record = push.record(obj)
    is_as_left = push.is_ours(record) and push.images(obj, state.expected) == state.expected
    if not is_as_left or push.is_undone(record) or push.renaming(obj) or Mark.read(obj).strategy:
        return None
    state = state.looked_at(update.now())
    seen = Step(Look(obj), state, progress(push.kind, obj, state.stale_deadline))
    good = seen.progress.complete or (seen.progress.going and not update.is_late(seen))
    return update.judge(seen) if good else None


def _patient(outcome: Wait, timeout: float) -> Wait:
    """The same, looked at again late, as a change wakes it before; but in time for its end.

    Args:
        timeout: watched seconds that the rollout may take.
    """
    state = RolloutState.read(outcome.state)
    if outcome.settled or state is None or state.stage:
        return outcome
    left = max(timeout - state.watch.elapsed, FIRST_WAIT)
    return replace(outcome, after=min(state.watch.long_pause, left))
