"""Which versions are behind a Service, looked at again and again."""

import time
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

from tests.contract.client import Client
from tests.contract.manifests import pods, resource

PAUSE = 0.05


class Shares:
    """Use as a context manager.

    Attributes:
        seen: pairs of the seconds since it began, and how many ready addresses each image has.
    """

    def __init__(self, kubeconfig: Path, namespace: str, service: str = "shop") -> None:
        self.seen: list[tuple[float, dict[str, int]]] = []
        self._client = Client(kubeconfig)
        self._endpoints = resource("v1", "endpoints", namespace, service)
        self._pods = pods(namespace)
        self._done = Event()
        self._thread = Thread(target=self._look, name="shares")

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join(30)
        self._client.__exit__()

    @property
    def now(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._started

    def of(self, image: str, since: float = 0.0) -> list[int]:
        """How many addresses an image had at each look."""
        return [found.get(image, 0) for at, found in self.seen if at >= since]

    def totals(self, since: float = 0.0) -> list[int]:
        return [sum(found.values()) for at, found in self.seen if at >= since]

    def gone(self, image: str, since: float) -> float:
        """Seconds from a moment until an image had no address, for good."""
        had = [at for at, found in self.seen if found.get(image)]
        return max([at - since for at in had if at >= since], default=0.0)

    def _look(self) -> None:
        while not self._done.wait(PAUSE):
            at = self.now
            answer = self._client.send("GET", self._endpoints)
            listed = self._client.ok("GET", self._pods)["items"]
            images = {
                pod["metadata"]["uid"]: pod["spec"]["containers"][0]["image"] for pod in listed
            }
            found: dict[str, int] = {}
            for subset in (answer.body.get("subsets") or ()) if answer.code == 200 else ():
                for address in subset.get("addresses") or ():
                    image = images.get((address.get("targetRef") or {}).get("uid"), "gone")
                    found[image] = found.get(image, 0) + 1
            self.seen.append((at, found))
