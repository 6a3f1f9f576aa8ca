"""What a strategy costs beside ``kubectl set image``: calls, time and downtime.

``python -m tests.benchmarks.strategies`` prints the figures of docs/strategies.md. Calls are made
to the fake cluster, times taken on a real control plane whose pods need half a second to start.
"""

import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

from tests.drivers.steps import SHA, config, context, push, workload
from tests.servers.control_plane import ControlPlane
from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.resources import Address
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_drivers.kubernetes.images.rollout import progress
from webhook_drivers.kubernetes.images.workloads import WORKLOADS
from webhook_service import Wait
from webhook_service.testing import FakeCluster, sample_context

ROUNDS = 5
START = 0.5
POLL = 0.01
IMAGE = "acme/shop:2"
RECREATE: dict[str, Any] = {"type": "Recreate", "rollingUpdate": None}


@dataclass(frozen=True)
class Case:
    """A strategy on a kind, and what people do by hand for the same."""

    kind: str
    strategy: dict[str, Any]
    by_hand: Callable[[Cluster, Address], None]


@dataclass
class Watched:
    """A rollout as its status shows it: seconds until it was complete, and without ready pods."""

    seconds: float = 0.0
    downtime: float = 0.0


def set_image(cluster: Cluster, address: Address, **spec: Any) -> None:
    containers = [{"name": "app", "image": IMAGE}]
    cluster.patch(address, {"spec": {"template": {"spec": {"containers": containers}}, **spec}})


def stop_and_start(cluster: Cluster, address: Address) -> None:
    cluster.patch(address, {"spec": {"replicas": 0}})
    while cluster.get(address)["status"].get("replicas"):
        time.sleep(POLL)
    set_image(cluster, address, replicas=2)


CASES = {
    "rolling": Case("Deployment", {"type": "rolling"}, set_image),
    "rolling, StatefulSet": Case("StatefulSet", {"type": "rolling"}, set_image),
    "recreate": Case(
        "Deployment",
        {"type": "recreate"},
        lambda cluster, address: set_image(cluster, address, strategy=RECREATE),
    ),
    "recreate, StatefulSet": Case("StatefulSet", {"type": "recreate"}, stop_and_start),
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, ControlPlane() as plane:
        plane.kubelet.delay = START
        for name, case in CASES.items():
            print(f"{name:<24} {calls_of(case, Path(folder))}  {times_of(case, plane)}", flush=True)


def calls_of(case: Case, folder: Path) -> str:
    """Calls of one rollout, and steps of the driver."""
    with FakeCluster(ready_delay=START) as fake:
        options = {"kubeconfig": str(fake.write_kubeconfig(folder / "kubeconfig"))}
        with closing(DeploymentUpdate(options)) as driver:
            start(driver.cluster(config(), sample_context()), case, "default")
            before = len(fake.requests)
            steps = roll(driver, case, "default")
            made = Counter(request.method for request in fake.requests[before:])
    return f"steps {steps}, " + ", ".join(f"{count} {verb}" for verb, count in made.items())


def times_of(case: Case, plane: ControlPlane) -> str:
    with closing(DeploymentUpdate({"kubeconfig": str(plane.kubeconfig)})) as driver:
        cluster = driver.cluster(config(), sample_context())

        def ours(namespace: str) -> None:
            roll(driver, case, namespace)

        def hands(namespace: str) -> None:
            case.by_hand(cluster, address_of(case, namespace))

        pairs = [
            (watch(cluster, case, plane, ours), watch(cluster, case, plane, hands))
            for _ in range(ROUNDS)
        ]
    lost = [our.seconds - hand.seconds for our, hand in pairs]
    downtime = [our.downtime for our, _ in pairs]
    by_hand = [hand.seconds for _, hand in pairs]
    return (
        f"lost {median(lost)} of {median(by_hand)} s by hand, down {median(downtime)} s "
        f"({min(lost):+.2f} to {max(lost):+.2f})"
    )


def watch(cluster: Cluster, case: Case, plane: ControlPlane, do: Callable[[str], None]) -> Watched:
    namespace = plane.new_namespace("bench")
    start(cluster, case, namespace)
    with watching(cluster, case, namespace) as watched:
        do(namespace)
    plane.api.delete(f"/api/v1/namespaces/{namespace}")
    return watched


@contextmanager
def watching(cluster: Cluster, case: Case, namespace: str) -> Iterator[Watched]:
    address, seen, complete = address_of(case, namespace), Watched(), Event()
    begun = time.monotonic()

    def look() -> None:
        last = begun
        while not complete.is_set():
            obj, now = cluster.get(address), time.monotonic()
            if not obj["status"].get("readyReplicas"):
                seen.downtime += now - last
            last = now
            image = obj["spec"]["template"]["spec"]["containers"][0]["image"]
            up = image.startswith(IMAGE) and obj["spec"]["replicas"]
            if up and progress(case.kind, obj).complete:
                seen.seconds = now - begun
                complete.set()
            time.sleep(POLL)

    thread = Thread(target=look)
    thread.start()
    yield seen
    thread.join(60)


def roll(driver: DeploymentUpdate, case: Case, namespace: str) -> int:
    """To the end, with the pauses that the driver asks for; how many steps it took."""
    settings = config(namespace, kind=case.kind, strategy=case.strategy)
    here, steps = context(1), 1
    outcome = driver.execute(settings, push("2", SHA), here)
    while isinstance(outcome, Wait):
        time.sleep(outcome.after)
        here, steps = replace(here, state=outcome.state), steps + 1
        outcome = driver.execute(settings, push("2", SHA), here)
    return steps


def start(cluster: Cluster, case: Case, namespace: str) -> None:
    body = workload(case.kind)
    body["metadata"]["namespace"] = namespace
    address = address_of(case, namespace)
    cluster.create(address, body)
    while not (obj := cluster.get(address))["status"].get("readyReplicas") == 2:
        time.sleep(POLL)
    assert progress(case.kind, obj).complete


def address_of(case: Case, namespace: str) -> Address:
    return Address(WORKLOADS[case.kind].resource, namespace, "shop")


def median(values: list[float]) -> str:
    return f"{statistics.median(values):.2f}"


if __name__ == "__main__":
    main()
