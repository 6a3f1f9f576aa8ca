"""The straight way: where what runs is broken, there is no whole set of pods to keep beside a push.

Then people's own Deployment gets the push at once, as ``rolling`` would do it: its controller keeps
the old pods that still serve. So a fix never waits for what it fixes.
"""

from __future__ import annotations

from collections.abc import Mapping

from webhook_drivers.kubernetes.api.resources import Json
from webhook_drivers.kubernetes.images import unfinished_mark
from webhook_drivers.kubernetes.images.push_record import PUSH
from webhook_drivers.kubernetes.images.rollout import Progress, Stage, number, progress
from webhook_drivers.kubernetes.images.step_state import STRAIGHT, RolloutState
from webhook_drivers.kubernetes.images.workloads import dig
from webhook_drivers.kubernetes.strategies.second import deployment
from webhook_drivers.kubernetes.strategies.second.deployment import DEPLOYMENT
from webhook_drivers.kubernetes.strategies.strategy import LookT, Step, Task

START = 5.0
"""Seconds in which pods may still start, where none is available."""
PATIENCE = 15.0
"""Seconds for which a rollout that somebody else has begun may still come to its end."""


def is_due(main: Json, state: RolloutState) -> bool:
    """Whether people's Deployment is broken, or half rolled out and does not get further."""
    if not deployment.wanted(main):
        return False
    seen = progress(DEPLOYMENT.resource.kind, main)
    serves = number(dig(main, "status"), "availableReplicas")
    patience = PATIENCE if serves else START
    return seen.failed or (seen.going and state.watch.elapsed >= patience)


def begin(
    task: Task,
    look: LookT,
    state: RolloutState,
    push: str,
    notes: Mapping[str, str | None] = unfinished_mark.UNMARKED,
) -> Step[LookT]:
    """Give people's Deployment the push.

    Args:
        push: what its pods are to name.
        notes: annotations to remove: nothing is beside it.
    """
    template = deployment.template_patch(look.obj, state.expected, {PUSH: push} if push else {})
    task.apply(task.push.claim(look.obj, {"template": template}, notes))
    said = "what ran before is not whole, so the Deployment gets the push at once"
    return Step(look, state.at(STRAIGHT, task.now()), Progress(Stage.GOING, said, 0.1))


def follow(look: LookT, main: Json, state: RolloutState) -> Step[LookT] | None:
    """How far it is; None when it is complete, and marks may be left to remove."""
    seen = progress(DEPLOYMENT.resource.kind, main, state.stale_deadline)
    return None if seen.complete else Step(look, state, seen)
