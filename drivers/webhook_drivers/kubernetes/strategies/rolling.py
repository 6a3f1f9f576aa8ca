"""The strategy ``rolling``: Kubernetes replaces the pods step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.resources import Address, Json
from webhook_drivers.kubernetes.api.rights import Right
from webhook_drivers.kubernetes.images import kubectl_undo, pods
from webhook_drivers.kubernetes.images.rollout import (
    Progress,
    deadline_mark,
    is_seen,
    number,
    progress,
)
from webhook_drivers.kubernetes.images.step_state import RolloutState
from webhook_drivers.kubernetes.images.workloads import Workload, dig
from webhook_drivers.kubernetes.strategies.strategy import Look, Step, Strategy, Task

Percent = Annotated[str, Field(pattern=r"^[0-9]{1,3}%$")]
Pods = Annotated[int, Field(ge=0, strict=True)] | Percent


class Rolling(Strategy):
    """Replace pods step by step, as the workload says or with other limits.

    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment
    """

    rights: ClassVar[tuple[Right, ...]] = (pods.RIGHT, pods.READ_EVENTS, kubectl_undo.RIGHT)

    type: Literal["rolling"] = Field(
        default="rolling", description="Replace pods step by step, without a pause."
    )
    max_surge: Pods | None = Field(
        default=None,
        description="How many pods may run beyond the wanted number: a number or a percentage; "
        "without it as the workload says.",
    )
    max_unavailable: Pods | None = Field(
        default=None,
        description="How many of the wanted pods may be missing: a number or a percentage; "
        "without it as the workload says.",
    )
    min_ready_seconds: int | None = Field(
        default=None,
        ge=0,
        le=86400,
        description="How long a new pod must be ready before the next one is replaced; without "
        "it as the workload says.",
    )

    @model_validator(mode="after")
    def _some_pod_may_move(self) -> Self:
        if all(
            value is not None and is_zero(value) for value in (self.max_surge, self.max_unavailable)
        ):
            raise ValueError("maxSurge and maxUnavailable cannot both be zero: no pod could move")
        return self

    @property
    def limits(self) -> Mapping[str, int | str]:
        """The limits that are said, under their names in the Kubernetes API."""
        said = {"maxSurge": self.max_surge, "maxUnavailable": self.max_unavailable}
        return {key: value for key, value in said.items() if value is not None}

    def unfit(self, workload: Workload) -> str | None:
        if workload.strategy is None and (self.limits or self.min_ready_seconds is not None):
            return (
                f"a {workload.resource.kind} has no maxSurge, maxUnavailable and minReadySeconds: "
                "leave them out of the strategy"
            )
        return None

    def is_shown_by(self, workload: Workload) -> bool:
        # A StatefulSet's pods are to be looked at too, and a CronJob has nothing to follow.
        return workload.custom or workload.resource.kind in ("Deployment", "DaemonSet")

    def spec(self, workload: Workload) -> Json:
        """The fields of the workload's spec that say so."""
        spec: Json = {}
        if self.limits and workload.strategy:
            spec[workload.strategy] = {"type": "RollingUpdate", "rollingUpdate": dict(self.limits)}
        if self.min_ready_seconds is not None:
            spec["minReadySeconds"] = self.min_ready_seconds
        return spec

    def min_ready(self, obj: Json) -> int:
        return super().min_ready(obj) if self.min_ready_seconds is None else self.min_ready_seconds

    def warnings(self, cluster: Cluster, address: Address, obj: Json) -> list[str]:
        spec = dig(obj, "spec")
        pods = number(spec, "replicas", 1)
        partition = number(dig(spec, "updateStrategy", "rollingUpdate"), "partition")
        if not pods or partition < pods:
            return []
        return [
            f"{address} has a partition of {partition} and {pods} pods, so a push replaces none of "
            "them: lower spec.updateStrategy.rollingUpdate.partition."
        ]

    def look(self, task: Task) -> Look:
        return Look(task.cluster.get(task.push.address))

    def first_patch(self, task: Task, look: Look) -> Json:
        return task.push.patch(look.obj, self.spec(task.push.workload))

    def begin(self, task: Task, look: Look, state: RolloutState) -> Step:
        patched = task.apply(self.first_patch(task, look))
        # Read back, because admission plug-ins may rewrite images.
        expected = task.push.images(patched, state.previous)
        return self.follow(task, Look(patched), state.having(expected=expected))

    def follow(self, task: Task, look: Look, state: RolloutState) -> Step:
        task.push.refuse_foreign(look.obj, state)
        seen = progress(task.push.kind, look.obj, state.stale_deadline)
        return Step(look, state, _unblocked(task, look.obj, seen))

    def undo(self, task: Task, look: Look, state: RolloutState) -> Step:
        patched = task.undo(task.push.undo_patch(look.obj, state))
        expected = task.push.images(patched, state.previous)
        return self.retreat(task, Look(patched), state.having(expected=expected))

    def retreat(self, task: Task, look: Look, state: RolloutState) -> Step:
        task.push.refuse_foreign(look.obj, state)
        # The controller keeps the failed rollout's condition; only the pods count now.
        seen = progress(task.push.kind, look.obj, deadline_mark(look.obj))
        return Step(look, state, _unblocked(task, look.obj, seen))


def _unblocked(task: Task, obj: Json, seen: Progress) -> Progress:
    """The same, after a StatefulSet got rid of a broken pod that keeps it from going on."""
    stateful = task.push.kind == "StatefulSet" and not task.push.workload.custom
    if not (seen.going and stateful and is_seen(obj)):
        return seen
    return replace(seen, message=seen.message + pods.unblock(task.cluster, obj, task.now()))


def is_zero(value: int | str) -> bool:
    return int(str(value).rstrip("%")) == 0
