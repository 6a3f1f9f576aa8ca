"""Counts what is behind a Service at every single change of its Endpoints and of the pods."""

from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Self

from tests.contract.client import MERGE, Client
from tests.contract.manifests import pods, resource

END = "tests/end"


class Prober:
    """Use as a context manager.

    Attributes:
        counts: the ready addresses of the Service, after each change of its Endpoints.
        served: those of them whose pods are there and ready, after each change of either: what a
            client meets who goes by addresses that may be out of date.
        pods: the most pods that there were at a time.
    """

    def __init__(self, kubeconfig: Path, namespace: str, service: str = "shop") -> None:
        self.counts: list[int] = []
        self.served: list[int] = []
        self.pods = 0
        self._kubeconfig, self._client = kubeconfig, Client(kubeconfig)
        self._endpoints = resource("v1", "endpoints", namespace)
        self._pods = pods(namespace)
        self._service = service
        self._events: dict[str, list[Any]] = {self._endpoints: [], self._pods: []}
        self._threads: list[Thread] = []

    def __enter__(self) -> Self:
        for path, events in self._events.items():
            listed = self._client.ok("GET", path)
            kind = {"kind": listed["kind"].removesuffix("List")}
            events += [{"type": "FIRST", "object": kind | item} for item in listed["items"]]
            version = listed["metadata"]["resourceVersion"]
            thread = Thread(target=self._watch, args=(path, version), name="prober")
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        mark = {"metadata": {"annotations": {END: "true"}}}
        with Client(self._kubeconfig) as client:
            client.ok("PATCH", f"{self._endpoints}/{self._service}", mark, MERGE)
            for pod in client.ok("GET", self._pods)["items"][:1]:
                client.ok("PATCH", f"{self._pods}/{pod['metadata']['name']}", mark, MERGE)
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()
        self._client.__exit__()
        self._replay()

    @property
    def least(self) -> int:
        return min(self.counts)

    def _watch(self, path: str, version: str) -> None:
        query = {"resourceVersion": version, "timeoutSeconds": "300"}
        with self._client.watch(path, **query) as events:
            for event in events:
                self._events[path].append(event)
                # The last event of all, after all that matters.
                if END in (event["object"]["metadata"].get("annotations") or {}):
                    return

    def _replay(self) -> None:
        """All events in the order in which they were written; versions are those of one store."""
        addresses: set[str] = set()
        ready: set[str] = set()
        there: set[str] = set()
        events = [event for found in self._events.values() for event in found]
        for event in sorted(events, key=_place):
            item = event["object"]
            if item["kind"] == "Endpoints" and item["metadata"]["name"] != self._service:
                continue
            if item["kind"] == "Endpoints":
                addresses = set(_addresses(item))
                self.counts.append(len(addresses))
            else:
                uid, gone = {item["metadata"]["uid"]}, event["type"] == "DELETED"
                there = there - uid if gone else there | uid
                ready = ready | uid if not gone and _is_ready(item) else ready - uid
                self.pods = max(self.pods, len(there))
            if event["type"] != "FIRST":
                self.served.append(len(addresses & ready))


def _place(event: Any) -> tuple[bool, int]:
    return event["type"] != "FIRST", int(event["object"]["metadata"]["resourceVersion"])


def _addresses(endpoints: Any) -> Iterator[str]:
    for subset in endpoints.get("subsets") or ():
        yield from (address["targetRef"]["uid"] for address in subset.get("addresses", ()))


def _is_ready(pod: Any) -> bool:
    if "deletionTimestamp" in pod["metadata"]:
        return False
    conditions = pod["status"].get("conditions", ())
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
