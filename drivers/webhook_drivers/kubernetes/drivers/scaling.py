"""Scaling by steps within limits, once per call: what scaleService and scaleHost share.

The object that is scaled keeps the executions that scaled it, written in the same PATCH as the
replicas under its resourceVersion. So a step that is repeated after a crash finds what it did, and
two calls scale twice. The subresource ``scale`` cannot do this: it has no annotations.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.resources import Address, Json
from webhook_drivers.kubernetes.images.rollout import number
from webhook_drivers.kubernetes.images.workloads import annotation
from webhook_drivers.v16 import LegacyConfig, is_below_one, shown
from webhook_service import Change, Done, DriverError
from webhook_service.failpoints import failpoint

SCALINGS = "webhook-service.io/scalings"
MAX_SCALINGS = 50


class ScaleConfig(LegacyConfig):
    """How far a call scales, and within which limits."""

    amount: int = Field(strict=True, description="How many to add or take away on each call.")
    action: Literal["up", "down"] = Field(description="Whether to add or to take away.")
    min: int = Field(
        default=1, ge=1, strict=True, description="A call that would go below changes nothing."
    )
    max: int = Field(
        default=100, ge=1, strict=True, description="A call that would go above changes nothing."
    )

    @classmethod
    def step_problems(cls, said: Mapping[str, Any]) -> Iterator[str]:
        """What v1.6 says about ``action`` and ``amount``."""
        action = said["action"]
        if not action:
            yield "Scale action not provided"
        if action not in ("up", "down"):
            yield f"Invalid action {shown(action)}"
        if is_below_one(said["amount"]):
            yield f"Invalid amount: {said['amount'] or 0}"

    @classmethod
    def limit_problems(cls, said: Mapping[str, Any]) -> Iterator[str]:
        """What v1.6 says about ``min`` and ``max``."""
        low, high = said["min"], said["max"]
        if is_below_one(low):
            yield "Minimum scale not provided/invalid"
        if is_below_one(high):
            yield "Maximum scale not provided/invalid"
        if isinstance(low, int) and isinstance(high, int) and low >= high:
            yield "Max must be greater than min"

    def wanted(self, what: object, current: int) -> int:
        """The scale after one step.

        Raises:
            DriverError: it would be outside the limits; as in v1.6, nothing is changed then.
        """
        scale = current + (self.amount if self.action == "up" else -self.amount)
        if self.action == "up" and scale > self.max:
            text = f"Cannot scale above provided max scale value: {what} has {current}"
            raise _limit(f"{text}, and {self.amount} more would be above {self.max}.")
        if self.action == "down" and scale < self.min:
            text = f"Cannot scale below provided min scale value: {what} has {current}"
            raise _limit(f"{text}, and {self.amount} less would be below {self.min}.")
        return scale


class Scaling(BaseModel):
    """What one execution did to one object."""

    model_config = ConfigDict(frozen=True)

    execution: str
    before: int
    after: int

    def change(self, address: Address) -> Change:
        return Change(str(address), "spec.replicas", str(self.before), str(self.after))

    def done(self, address: Address) -> Done:
        message = f"{address} was scaled from {self.before} to {self.after}."
        return Done((self.change(address),), message)


_SCALINGS = TypeAdapter(tuple[Scaling, ...])


def find(obj: Json, execution: str) -> Scaling | None:
    """What this execution did to the object already."""
    done = (item for item in _read(obj) if item.execution == execution)
    return next(done, None) if execution else None


def replicas(obj: Json) -> int:
    """How many an object asks for; one, where it does not say."""
    return number(obj.get("spec"), "replicas", 1)


def apply(
    cluster: Cluster, address: Address, obj: Json, scaling: Scaling, patch: Json, content_type: str
) -> Done:
    """Scale the object as it was read, and note the execution on it.

    Args:
        patch: what else to change on it.

    Raises:
        Conflict: it was changed since.
    """
    failpoint("scale.read")
    noted = [item.model_dump() for item in (*_read(obj), scaling)]
    metadata = {
        "resourceVersion": obj["metadata"]["resourceVersion"],
        "annotations": {SCALINGS: json.dumps(noted[-MAX_SCALINGS:], separators=(",", ":"))},
    }
    spec = {**patch.get("spec", {}), "replicas": scaling.after}
    cluster.patch(address, {"metadata": metadata, "spec": spec}, content_type=content_type)
    failpoint("scale.patched")
    return scaling.done(address)


def _read(obj: Json) -> tuple[Scaling, ...]:
    """What people broke is treated as absent."""
    try:
        return _SCALINGS.validate_json(annotation(obj, SCALINGS) or "[]")
    except ValidationError:
        return ()


def _limit(message: str) -> DriverError:
    return DriverError(message, code="scale_limit")
