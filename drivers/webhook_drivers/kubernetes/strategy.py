"""How pods are replaced, as a config says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from webhook_service import DriverConfig

Percent = Annotated[str, Field(pattern=r"^[0-9]{1,3}%$")]
Pods = Annotated[int, Field(ge=0, strict=True)] | Percent


class RollingStrategy(DriverConfig):
    """Replace pods step by step, as the workload says or with other limits.

    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment
    """

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


def is_zero(value: int | str) -> bool:
    return int(str(value).rstrip("%")) == 0
