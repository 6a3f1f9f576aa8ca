"""What a push has left where it could not be brought to an end, in words for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.resources import Address, Json
from webhook_drivers.kubernetes.images.workloads import annotation
from webhook_drivers.kubernetes.strategies.second import deployment, routing
from webhook_drivers.kubernetes.strategies.second.counts import Count
from webhook_service import DriverError


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """Looks for what is of ours, as far as it may look; what it may not read is not named.

    Args:
        main, second: people's Deployment, and ours beside it.
        services: those that a push narrows.
        count: the annotation with the wanted number of pods; ``notes``: all that are written on
            people's Deployment.
    """

    cluster: Cluster
    main: Address
    second: Address
    services: tuple[Address, ...]
    count: str
    notes: tuple[str, ...]

    def give_back(self) -> str:
        """Without people's Deployment no narrowing is right: widen the Services, and say the rest.

        Whatever comes in its place must get the traffic.
        """
        if self._is_there(self.main) is not False:
            return self.said()
        widened = [where for where in self.services if self._widen(where)]
        given = f"{_listed(widened)} selects as it was written again." if widened else ""
        second = self._read(self.second)
        if second and second["metadata"].get("ownerReferences"):
            second = None  # the cluster removes it, as its owner is gone
        return " ".join(filter(None, (given, self._said(None, second))))

    def said(self) -> str:
        """What is left, and how to remove it; empty if nothing is."""
        return self._said(self._read(self.main), self._read(self.second))

    def _said(self, main: Json | None, second: Json | None) -> str:
        found: list[str] = []
        commands: list[str] = []
        if main and (second and deployment.wanted(second)) and not deployment.wanted(main):
            pods = Count.read(main, self.count).wanted or deployment.wanted(second)
            commands.append(f"scale deployment {self.main.name} --replicas={pods}")
        for where, said in self._narrowed():
            found.append(f"the selector {said} of {where}")
            commands.append(_widening(where))
        if second and deployment.COLOR in deployment.labels_of_pods(second):
            found.append(f"{self.second} with {deployment.wanted(second)} pods")
            commands.append(f"delete deployment {self.second.name}")
        if main and (noted := [key for key in self.notes if annotation(main, key) is not None]):
            found.append(f"annotations of {self.main}")
            keys = " ".join(f"{key}-" for key in noted)
            commands.append(f"annotate deployment {self.main.name} {keys}")
        if not found:
            return ""
        space = self.main.namespace
        by_hand = "; ".join(f"kubectl -n {space} {command}" for command in commands)
        return (
            f"Left behind: {', '.join(found)}. The next push of it goes on from there; to remove "
            f"it by hand: {by_hand}."
        )

    def _narrowed(self) -> Iterator[tuple[Address, str]]:
        for where in self.services:
            if (live := self._read(where)) and (labels := routing.narrowed(live)):
                yield where, ",".join(f"{key}={value}" for key, value in sorted(labels.items()))

    def _widen(self, where: Address) -> bool:
        live = self._read(where)
        if live is None or not routing.is_touched(live):
            return False
        try:
            self.cluster.patch(where, routing.moved(live, {}, None))
        except DriverError:
            return False
        return True

    def _read(self, where: Address) -> Json | None:
        try:
            return self.cluster.get(where)
        except DriverError:
            return None

    def _is_there(self, where: Address) -> bool | None:
        """None if the cluster does not say."""
        try:
            self.cluster.get(where)
        except DriverError as error:
            return False if error.reason == "not_found" else None
        return True


def _widening(where: Address) -> str:
    labels = dict.fromkeys((deployment.COLOR, deployment.HASH))
    noted = {"annotations": {routing.SWITCH: None}}
    patch = {"metadata": noted, "spec": {"selector": labels}}
    return f"patch service {where.name} --type merge -p '{json.dumps(patch)}'"


def _listed(items: Iterable[object]) -> str:
    return " and ".join(str(item) for item in items)
