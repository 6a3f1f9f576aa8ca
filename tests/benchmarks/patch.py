"""From a push to the PATCH, and how many targets are changed beside the same PATCHes alone.

The Deployments have no replicas: what the cluster does with the PATCH is not measured.
"""

import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx
import pytest

from tests.benchmarks.figures import Figure, ratios
from tests.e2e.host import Host
from tests.servers.api import UNREACHABLE, Api, Json
from tests.servers.control_plane import ControlPlane
from tests.support import wait_for
from webhook_service.testing import FakeCluster
from webhook_service.testing.samples import dockerhub_push

IDLE_PUSHES = 50
IDLE_SECONDS = 1.0
DEPLOYMENTS = 200
CONNECTIONS = 16
ROUNDS = 3
PATHS = "/apis/apps/v1/namespaces/{namespace}/deployments"
UNLIMITED = {"ADDRESS_RATE": "0", "RECEIVER_RATE": "0", "LEASE_SECONDS": "30"}


@dataclass(frozen=True)
class Cluster:
    """Where Deployments are made, as its administrator."""

    name: str
    kubeconfig: Path
    api: Api
    namespace: str

    @property
    def deployments(self) -> str:
        return PATHS.format(namespace=self.namespace)

    def add(self, name: str) -> None:
        container = {"name": "shop", "image": _image("0")}
        template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
        selector = {"matchLabels": {"app": name}}
        spec = {"replicas": 0, "selector": selector, "template": template}
        self.api.post(self.deployments, {"metadata": {"name": name}, "spec": spec})

    def patch(self, name: str, tag: str) -> None:
        container = {"name": "shop", "image": _image(tag)}
        spec = {"template": {"spec": {"containers": [container]}}}
        self.api.patch(f"{self.deployments}/{name}", {"spec": spec})


class Watcher:
    """Notes when a Deployment has an image for the first time. Use as a context manager."""

    def __init__(self, cluster: Cluster) -> None:
        version = cluster.api.get(cluster.deployments)["metadata"]["resourceVersion"]
        self._watch = cluster.api.watch(cluster.deployments, version)
        self._thread = threading.Thread(target=self._read)
        self.seen: dict[tuple[str, str], float] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._watch.stop()
        self._thread.join()

    def moment(self, name: str, tag: str) -> float:
        wait_for(lambda: (name, tag) in self.seen, 60)
        return self.seen[name, tag]

    def _read(self) -> None:
        with suppress(*UNREACHABLE):  # it is stopped
            for event in self._watch:
                found: Json = event["object"]
                image = found["spec"]["template"]["spec"]["containers"][0]["image"]
                key = found["metadata"]["name"], image.rpartition(":")[2]
                self.seen.setdefault(key, time.perf_counter())


def measure() -> Iterator[Figure]:
    """On the fake cluster, and on a real API server where this machine has one."""
    for start in (_fake, _real):
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            try:
                cluster = stack.enter_context(start())
            except pytest.skip.Exception as exc:
                print(f"not measured: {exc}", file=sys.stderr)
                continue
            host = stack.enter_context(Host(Path(folder), cluster.kubeconfig, UNLIMITED))
            yield from _measure(cluster, host)


@contextmanager
def _fake() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory() as folder, FakeCluster(token="bench") as fake:
        api = Api(fake.url, "bench", Path(folder))
        kubeconfig = fake.write_kubeconfig(Path(folder) / "kubeconfig")
        yield Cluster("fake cluster", kubeconfig, api, "default")
        api.close()


@contextmanager
def _real() -> Iterator[Cluster]:
    with ControlPlane() as plane:
        yield Cluster("real API server", plane.kubeconfig, plane.api, plane.new_namespace("bench"))


def _measure(cluster: Cluster, host: Host) -> Iterator[Figure]:
    names = [f"shop-{number}" for number in range(DEPLOYMENTS)]
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        list(threads.map(cluster.add, names))
        made = threads.map(lambda name: _receiver(cluster, host, name), names)
        urls = dict(zip(names, made, strict=True))
    with Watcher(cluster) as watcher, httpx.Client(timeout=60) as client:

        def push(name: str, tag: str) -> None:
            body = dockerhub_push("acme/shop", tag, pushed_at=None)
            client.post(urls[name], content=body).raise_for_status()

        idle = _idle(names, push, watcher)
        turns = []
        for turn in range(ROUNDS):
            ours = _rate(names, f"p{turn}", push, watcher)
            turns.append((ours, _rate(names, f"q{turn}", cluster.patch, watcher)))
    pushes, patches = zip(*turns, strict=True)
    place = cluster.name
    yield Figure(f"push to PATCH seen, idle, {place}: p50", "ms", [statistics.median(idle)], 20)
    yield Figure(f"push to PATCH seen, idle, {place}: max", "ms", [max(idle)], 100)
    yield Figure(f"targets changed by pushes, {place}", "a second", pushes)
    yield Figure(f"the same PATCHes alone, {place}", "a second", patches)
    floor = 0.8 if place == "real API server" else None
    yield ratios(f"changed by pushes / PATCHes alone, {place}", pushes, patches, floor=floor)


def _receiver(cluster: Cluster, host: Host, name: str) -> str:
    config = {"namespace": cluster.namespace, "name": name}
    made = host.create_receiver(name=name, driver="deploymentUpdate", deploymentUpdateConfig=config)
    return str(made["url"])


def _idle(
    names: Sequence[str], push: Callable[[str, str], None], watcher: Watcher
) -> Sequence[float]:
    """Milliseconds from the call to the change, one after the other has come to its end."""
    found = []
    for name in names[:IDLE_PUSHES]:
        time.sleep(IDLE_SECONDS)
        started = time.perf_counter()
        push(name, "idle")
        found.append((watcher.moment(name, "idle") - started) * 1000)
    return found


def _rate(
    names: Sequence[str], tag: str, change: Callable[[str, str], None], watcher: Watcher
) -> float:
    """Changes a second, begun from 16 threads, until the last one is seen."""
    started = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        list(threads.map(lambda name: change(name, tag), names))
    return len(names) / (max(watcher.moment(name, tag) for name in names) - started)


def _image(tag: str) -> str:
    return f"docker.io/acme/shop:{tag}"
