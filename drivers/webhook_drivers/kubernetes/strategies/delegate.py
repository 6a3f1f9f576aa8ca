"""The strategy ``delegate``: another controller rolls the pods out, and is followed to its end.

A push to an Argo Rollouts ``Rollout``, or to a Deployment that a Flagger ``Canary`` takes care of,
only sets the image. Steps, checks and the way back are theirs; their status says how it ended.

https://argo-rollouts.readthedocs.io/en/stable/features/specification/
https://docs.flagger.app/usage/how-it-works#canary-status
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.resources import Address, Json, Resource
from webhook_drivers.kubernetes.api.rights import Right
from webhook_drivers.kubernetes.images.rollout import Progress, Stage, is_seen
from webhook_drivers.kubernetes.images.step_state import RolloutState
from webhook_drivers.kubernetes.images.target_config import DnsSubdomain
from webhook_drivers.kubernetes.images.workloads import Workload, annotation, dig
from webhook_drivers.kubernetes.strategies.strategy import Look, Step, Strategy, Task
from webhook_service import DriverError, Retry

CANARIES = Resource("Canary", "flagger.app", "v1beta1", "canaries")
ROLLOUTS = Resource("Rollout", "argoproj.io", "v1alpha1", "rollouts")
BEFORE = "webhook-service.io/canary-before"
"""On the Deployment: what its Canary had analysed last before the push."""
ARGO: Mapping[str, Stage] = {
    "Healthy": Stage.COMPLETE,
    "Degraded": Stage.FAILED,
    "Paused": Stage.PAUSED,
}
FLAGGER: Mapping[str, Stage] = {
    "Succeeded": Stage.COMPLETE,
    "Failed": Stage.FAILED,
    "Waiting": Stage.PAUSED,
    "WaitingPromotion": Stage.PAUSED,
}


class Delegate(Strategy):
    """Set the image, and follow an Argo Rollout or a Flagger Canary to its end."""

    rights: ClassVar[tuple[Right, ...]] = (
        Right(CANARIES, ("get",), optional=True),
        Right(ROLLOUTS, ("get", "patch"), optional=True),
        Right(ROLLOUTS, ("patch",), "status", optional=True),
    )
    many: ClassVar[bool] = False

    type: Literal["delegate"] = Field(
        default="delegate", description="Argo Rollouts or Flagger rolls the pods out."
    )
    canary: DnsSubdomain | None = Field(
        default=None,
        description="Of a Deployment: the Flagger Canary that takes care of it; without it the one "
        "of the same name.",
    )

    def unfit(self, workload: Workload) -> str | None:
        if workload.resource.qualified == ROLLOUTS.qualified:
            return "a Rollout has no Canary: leave `canary` out" if self.canary else None
        if workload.resource.kind == "Deployment" and not workload.custom:
            return None
        return (
            f"a {workload.resource.kind} has no other controller to follow: use the strategy "
            "rolling, or name a Rollout of argoproj.io or a Deployment that Flagger takes care of"
        )

    def problems(self, cluster: Cluster, address: Address, obj: Json) -> list[str]:
        try:
            self._refuse_unmanaged(cluster, address, obj)
        except Retry:
            raise
        except DriverError as error:
            return [error.message]
        return []

    def look(self, task: Task) -> Look:
        return Look(task.cluster.get(task.push.address))

    def begin(self, task: Task, look: Look, state: RolloutState) -> Step:
        self._refuse_unmanaged(task.cluster, task.push.address, look.obj)
        notes = {}
        if not task.push.workload.custom:
            notes = {BEFORE: _analysed(task.cluster.get(self._canary(task.push.address)))}
        patched = task.apply(task.push.patch(look.obj, notes=notes))
        expected = task.push.images(patched, state.previous)
        return self.follow(task, Look(patched), state.having(expected=expected))

    def follow(self, task: Task, look: Look, state: RolloutState) -> Step:
        task.push.refuse_foreign(look.obj, state)
        return Step(look, state, self._seen(task, look.obj))

    def undo(self, task: Task, look: Look, state: RolloutState) -> Step:
        if task.push.workload.custom:
            self._abort(task, look.obj)
            look = self.look(task)
        patched = task.undo(task.push.undo_patch(look.obj, state))
        expected = task.push.images(patched, state.previous)
        return self.retreat(task, Look(patched), state.having(expected=expected))

    def retreat(self, task: Task, look: Look, state: RolloutState) -> Step:
        """The old pods serve already, as their controller took the push back before we did."""
        task.push.refuse_foreign(look.obj, state)
        if task.push.workload.custom:
            return Step(look, state, self._seen(task, look.obj))
        return Step(look, state, Progress(Stage.COMPLETE, "its Canary went back"))

    def _abort(self, task: Task, obj: Json) -> None:
        """Let Argo Rollouts send all traffic to the old pods at once, if we may ask for it.

        What ``kubectl argo rollouts abort`` does:
        https://argo-rollouts.readthedocs.io/en/stable/generated/kubectl-argo-rollouts/kubectl-argo-rollouts_abort/
        """
        if argo(obj).stage not in (Stage.GOING, Stage.PAUSED):
            return
        try:
            task.cluster.patch(
                task.push.address,
                {"status": {"abort": True}},
                content_type=task.push.workload.patch_type,
                subresource="status",
            )
        except Retry:
            raise
        except DriverError as error:
            if error.reason not in ("forbidden", "not_found"):
                raise

    def _seen(self, task: Task, obj: Json) -> Progress:
        if task.push.workload.custom:
            return argo(obj)
        live = task.cluster.get(self._canary(task.push.address))
        if task.push.context.rolls_back and dig(live, "status").get("phase") == "Failed":
            # What is promoted already is not analysed again.
            return Progress(Stage.COMPLETE, "its Canary went back")
        return flagger(live, annotation(obj, BEFORE))

    def _canary(self, target: Address) -> Address:
        return Address(CANARIES, target.namespace, self.canary or target.name)

    def _refuse_unmanaged(self, cluster: Cluster, target: Address, obj: Json) -> None:
        """
        Raises:
            DriverError: nobody would roll the pods out, or not from this object's template.
        """
        if target.resource.qualified == ROLLOUTS.qualified:
            if dig(obj, "spec", "workloadRef"):
                name = dig(obj, "spec", "workloadRef").get("name")
                raise DriverError(
                    f"{target} takes its pods from the Deployment {name} (workloadRef), so it has "
                    "no image of its own: use a Rollout with a template.",
                    code="no_template",
                )
            return
        where = self._canary(target)
        found = dig(cluster.get(where), "spec", "targetRef")
        if (found.get("kind"), found.get("name")) != ("Deployment", target.name):
            raise DriverError(
                f"{where} takes care of {found.get('kind')} {found.get('name')}, not of {target}: "
                "correct `canary`.",
                code="not_delegated",
            )


def argo(obj: Json) -> Progress:
    """How far a Rollout is."""
    status = dig(obj, "status")
    if not is_seen(obj):
        return Progress(Stage.GOING, "waiting for Argo Rollouts to see the change")
    phase = str(status.get("phase") or "Progressing")
    said = str(status.get("message") or "")[:256]
    stage = ARGO.get(phase, Stage.GOING)
    if status.get("abort") is True:
        return Progress(Stage.FAILED, f"the Rollout was aborted: {said}".rstrip(": "))
    if stage is Stage.COMPLETE:
        pods = status.get("availableReplicas", 0)
        return Progress(stage, f"{pods} pods run")
    message = f"the Rollout is {phase}: {said}".rstrip(": ")
    if stage is Stage.PAUSED:
        name = dig(obj, "metadata").get("name")
        message += f" (to go on: kubectl argo rollouts promote {name})"
    return Progress(stage, message)


def flagger(canary: Json, before: str | None) -> Progress:
    """How far the Canary of a Deployment is.

    Args:
        before: what it had analysed last before the push; its phase counts from then on.
    """
    phase = str(dig(canary, "status").get("phase") or "")
    if _analysed(canary) == before:
        return Progress(Stage.GOING, "waiting for Flagger to see the change")
    stage = FLAGGER.get(phase, Stage.GOING)
    if stage is Stage.COMPLETE:
        return Progress(stage, "Flagger promoted")
    weight = dig(canary, "status").get("canaryWeight", 0)
    return Progress(stage, f"the Canary is {phase or 'not initialised'}, at {weight} %")


def _analysed(canary: Json) -> str:
    return str(dig(canary, "status").get("lastAppliedSpec") or "")
