"""How many pods people want, while a strategy shares them out between two Deployments. Pure.

The number stands in an annotation of people's Deployment, with what a strategy has left in
``spec.replicas`` beside it. A ``spec.replicas`` that says something else was set by people since,
or by an autoscaler: then it is what they want.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from webhook_drivers.kubernetes.api.resources import Json
from webhook_drivers.kubernetes.images.workloads import annotation
from webhook_drivers.kubernetes.strategies.second import deployment


@dataclass(frozen=True, slots=True)
class Count:
    """What is wanted.

    Attributes:
        wanted: how many pods people want.
        anew: whether they have said so since a strategy wrote it down.
    """

    wanted: int
    anew: bool = False

    @classmethod
    def read(cls, main: Json, key: str) -> Self:
        """Read the annotation ``key``; without one, ``spec.replicas`` is what people want."""
        wanted, _, left = (annotation(main, key) or "").partition(" ")
        now = deployment.wanted(main)
        if not wanted.isdecimal():
            return cls(now)
        if left.isdecimal() and int(left) != now:
            return cls(now, anew=True)
        return cls(int(wanted))

    def leaving(self, replicas: int) -> str:
        """The annotation to write in the PATCH that sets ``spec.replicas``."""
        return f"{self.wanted} {replicas}"
