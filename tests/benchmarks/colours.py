"""What a second Deployment costs: calls, pods, and the time until a push serves.

``python -m tests.benchmarks.colours`` prints the figures of docs/strategies.md. Calls are counted
on the fake cluster, times taken on a real control plane whose pods need half a second to start.
"""

import statistics
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.contract.client import Client
from tests.drivers.steps import SHA, context, push
from tests.drivers.strategies.colours import Shop, blue_green, canary
from tests.servers.control_plane import ControlPlane
from webhook_drivers.kubernetes.drivers.deployment_update import (
    DeploymentUpdate,
    DeploymentUpdateConfig,
)
from webhook_service import Wait
from webhook_service.testing import FakeCluster

ROUNDS = 5
START = 0.5
STRATEGIES = {"blueGreen": blue_green, "canary": canary}


@dataclass
class Seen:
    """One push: seconds until it served (all of it) and until nothing was left, and most pods."""

    served: float = 0.0
    done: float = 0.0
    least: int = 0
    most: int = 0


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, ControlPlane() as plane:
        plane.kubelet.delay = START
        for name, strategy in STRATEGIES.items():
            print(f"{name:<10} {calls_of(strategy(), Path(folder))}", flush=True)
            rounds = [round_on(plane, strategy) for _ in range(ROUNDS)]
            served = statistics.median(seen.served for seen in rounds)
            done = statistics.median(seen.done for seen in rounds)
            least, most = min(seen.least for seen in rounds), max(seen.most for seen in rounds)
            times = f"serves after {served:.1f} s, done after {done:.1f} s"
            print(f"{'':<10} {times}, {least} to {most} pods", flush=True)


def calls_of(settings: DeploymentUpdateConfig, folder: Path) -> str:
    with FakeCluster(ready_delay=START) as fake:
        path = fake.write_kubeconfig(folder / "kubeconfig")
        with Client(path) as client, closing(DeploymentUpdate({"kubeconfig": str(path)})) as driver:
            Shop(client, path).start()
            before = len(fake.requests)
            roll(driver, settings)
            made = Counter(request.method for request in fake.requests[before:])
    return ", ".join(f"{count} {verb}" for verb, count in made.items())


def round_on(plane: ControlPlane, strategy: Any) -> Seen:
    namespace = plane.new_namespace("bench")
    options = {"kubeconfig": str(plane.kubeconfig)}
    with Client(plane.kubeconfig) as client, closing(DeploymentUpdate(options)) as driver:
        shop = Shop(client, plane.kubeconfig, namespace)
        shop.start()
        with shop.prober() as prober:
            seen = roll(driver, strategy(namespace))
        seen.least, seen.most = min(prober.served), prober.pods
    plane.api.delete(f"/api/v1/namespaces/{namespace}")
    return seen


def roll(driver: DeploymentUpdate, settings: DeploymentUpdateConfig) -> Seen:
    """To the end, with the pauses that the driver asks for."""
    here, begun, seen = context(1), time.monotonic(), Seen()
    outcome = driver.execute(settings, push("2", SHA), here)
    while isinstance(outcome, Wait):
        if outcome.settled and not seen.served:
            seen.served = time.monotonic() - begun
        time.sleep(outcome.after)
        here = replace(here, state=outcome.state)
        outcome = driver.execute(settings, push("2", SHA), here)
    seen.done = time.monotonic() - begun
    seen.served = seen.served or seen.done
    return seen


if __name__ == "__main__":
    main()
