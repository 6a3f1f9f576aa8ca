"""The mark of a push that keeps pods beside a workload's own, until nothing of it is left.

Meanwhile a Service may send to pods by their template's hash, or some of the wanted pods may be in
a second Deployment. Whoever gives the workload another template then would lose them. So the mark
says what is needed to tidy up after a strategy that the receiver no longer has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from webhook_drivers.kubernetes.api.resources import Address, Json
from webhook_drivers.kubernetes.images.workloads import annotation, dig
from webhook_service import DriverError, Retry

UNFINISHED = "webhook-service.io/unfinished"
"""On the workload: which strategy brings a push of which repository, until it is at rest."""
DRAINED = "webhook-service.io/replicas"
"""On a StatefulSet: how many pods it had before it was scaled to zero, and by a push of what."""
UNMARKED: Mapping[str, str | None] = {UNFINISHED: None}


@dataclass(frozen=True, slots=True)
class Mark:
    """What an unfinished push is of.

    Attributes:
        strategy: its type; empty if nothing is unfinished.
        services: the Service that it moves, then its preview, where they are known.
    """

    strategy: str = ""
    repository: str = ""
    services: tuple[str, ...] = ()

    @classmethod
    def read(cls, obj: Json) -> Self:
        """The mark of a workload; what people broke names no Service."""
        words = (annotation(obj, UNFINISHED) or "").split()
        return cls(words[0], words[1], tuple(words[2:4])) if len(words) > 1 else cls()


def mark(strategy: str, repository: str, *services: str) -> Mapping[str, str | None]:
    """The annotation for the first PATCH of a push.

    Args:
        services: the names of the Service that it moves and of its preview.
    """
    return {UNFINISHED: " ".join((strategy, repository, *services))}


def is_of(obj: Json, repository: str) -> bool:
    """Whether a push of this repository is marked."""
    return Mark.read(obj).repository == repository


def drained_by(obj: Json) -> str | None:
    """The repository whose push has scaled a StatefulSet to zero."""
    noted = annotation(obj, DRAINED)
    return noted.partition(" ")[2] if noted else None


def is_drained(obj: Json, repository: str) -> bool:
    """Whether a StatefulSet has no pods because of a push of this repository, and of nobody else.

    People may have scaled it up meanwhile, and then their number counts.
    """
    return drained_by(obj) == repository and dig(obj, "spec").get("replicas") == 0


def is_midway(obj: Json, repository: str) -> bool:
    """Whether a push of this repository was begun, and what it does meanwhile is not undone."""
    return is_of(obj, repository) or is_drained(obj, repository)


def refuse(obj: Json, where: Address, strategy: str, repository: str) -> None:
    """Refuse to change a workload that another strategy has not finished with.

    Raises:
        Retry: a push of another repository may still be under way.
        DriverError: nobody is: pushes of one repository to a workload run one after the other.
    """
    found = Mark.read(obj)
    if found.strategy in ("", strategy):
        return
    if found.repository != repository:
        raise Retry(
            f"{where} is in use by a {found.strategy} push of {found.repository}: this one waits "
            "for its end."
        )
    raise DriverError(
        f"A {found.strategy} push to {where} was not brought to its end, so nothing was changed: "
        f"push once more by a receiver with the strategy {found.strategy}, or tidy up by hand and "
        f"remove the annotation {UNFINISHED}.",
        code="unfinished",
    )
