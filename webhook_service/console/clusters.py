"""Clusters: where the receivers of a project deploy to, and what waits for an answer from there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from webhook_service.model.history.outage import Outage
from webhook_service.model.receiver import Receiver


@dataclass(frozen=True, slots=True)
class ClusterState:
    """One cluster as one driver reaches it, for the receivers of one project.

    Attributes:
        cluster: as the receivers name it; empty where they name none.
        outage: what waits for it, of all its receivers together; None if nothing does.
    """

    driver: str
    cluster: str
    receivers: Sequence[Receiver]
    outage: Outage | None


def cluster_states(receivers: Sequence[Receiver], outages: Sequence[Outage]) -> list[ClusterState]:
    """The clusters of some receivers: first those that do not answer."""
    waiting = {outage.receiver: outage for outage in outages}
    found: defaultdict[tuple[str, str], list[Receiver]] = defaultdict(list)
    for receiver in receivers:
        cluster = receiver.spec.config.get("cluster")
        found[receiver.spec.driver, cluster if isinstance(cluster, str) else ""].append(receiver)
    states = [
        ClusterState(
            driver, cluster, own, _together([waiting[one.id] for one in own if one.id in waiting])
        )
        for (driver, cluster), own in sorted(found.items())
    ]
    return sorted(states, key=lambda state: state.outage is None)


def _together(outages: Sequence[Outage]) -> Outage | None:
    """Several as one: since the first of them, with the words of the last."""
    if not outages:
        return None
    last = max(outages, key=lambda outage: outage.since)
    tries = [outage.next_try for outage in outages]
    return Outage(
        last.receiver,
        sum(outage.waiting for outage in outages),
        min(outage.since for outage in outages),
        None if None in tries else min(due for due in tries if due is not None),
        last.said,
    )
