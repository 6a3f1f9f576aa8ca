"""The mark of a push that keeps pods beside a workload's own, until nothing of it is left.

Meanwhile a Service may send to pods by their template's hash, or some of the wanted pods may be in
a second Deployment. Whoever gives the workload another template then would lose them.
"""

from __future__ import annotations

from collections.abc import Mapping

from webhook_drivers.kubernetes.api.resources import Address, Json
from webhook_drivers.kubernetes.images.workloads import annotation
from webhook_service import DriverError, Retry

UNFINISHED = "webhook-service.io/unfinished"
"""On the workload: which strategy brings a push of which repository, until it is at rest."""
UNMARKED: Mapping[str, str | None] = {UNFINISHED: None}


def mark(strategy: str, repository: str) -> Mapping[str, str | None]:
    """The annotation for the first PATCH of a push."""
    return {UNFINISHED: f"{strategy} {repository}"}


def is_of(obj: Json, repository: str) -> bool:
    """Whether a push of this repository is marked."""
    return _read(obj)[1] == repository


def refuse(obj: Json, where: Address, strategy: str, repository: str) -> None:
    """Refuse to change a workload that another strategy has not finished with.

    Raises:
        Retry: a push of another repository may still be under way.
        DriverError: nobody is: pushes of one repository to a workload run one after the other.
    """
    began, whose = _read(obj)
    if began in ("", strategy):
        return
    if whose != repository:
        raise Retry(f"{where} is in use by a {began} push of {whose}: this one waits for its end.")
    raise DriverError(
        f"A {began} push to {where} was not brought to its end, so nothing was changed: push once "
        f"more by a receiver with the strategy {began}, or tidy up by hand and remove the "
        f"annotation {UNFINISHED}.",
        code="unfinished",
    )


def _read(obj: Json) -> tuple[str, str]:
    strategy, _, repository = (annotation(obj, UNFINISHED) or "").partition(" ")
    return strategy, repository
