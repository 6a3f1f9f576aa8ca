"""What served at every moment of a rollout, read from the history of its pods."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.contract.client import Client
from tests.contract.manifests import pods

SELECTOR = "app=shop"


@dataclass(frozen=True)
class Moment:
    """The pods between two changes: all that exist, and the ready ones that do not end yet.

    Attributes:
        versions: the images of `app` that pods have, also those that are about to end.
    """

    pods: int
    ready: int
    versions: frozenset[str]


class Prober:
    """Begins where the namespace stands now; `moments` replays each change since."""

    def __init__(self, client: Client, namespace: str, selector: str = SELECTOR) -> None:
        self._client, self._path, self._selector = client, pods(namespace), selector
        found = client.ok("GET", self._path, query={"labelSelector": selector})
        self._version = found["metadata"]["resourceVersion"]
        self._pods = {pod["metadata"]["name"]: pod for pod in found["items"]}

    def moments(self) -> list[Moment]:
        known, seen = dict(self._pods), [_moment(self._pods)]
        for event in self._events():
            pod = event["object"]
            assert event["type"] != "ERROR", pod
            known[pod["metadata"]["name"]] = pod
            if event["type"] == "DELETED":
                del known[pod["metadata"]["name"]]
            seen.append(_moment(known))
        return seen

    def _events(self) -> Iterator[Any]:
        query = {"labelSelector": self._selector, "resourceVersion": self._version}
        with self._client.watch(self._path, timeoutSeconds=1, **query) as events:
            yield from events


def _moment(known: dict[str, Any]) -> Moment:
    found = list(known.values())
    versions = (c["image"] for pod in found for c in pod["spec"]["containers"])
    return Moment(
        len(found),
        sum(map(_serves, found)),
        frozenset(image for image in versions if "acme/shop" in image),
    )


def _serves(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return ready and not pod["metadata"].get("deletionTimestamp")
