"""How long it takes to be at the last good image again, and until somebody's own change is told."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks.figures import Figure
from tests.contract.client import Client
from tests.contract.deployed import Deployed, serving
from tests.contract.shop import Shop as Target
from tests.drivers.strategies.colours import Shop
from tests.servers.control_plane import ControlPlane
from tests.support import PROJECT, wait_for, wait_for_end
from webhook_service import ExecutionState, PageRequest

ROUNDS = 3
START = 0.5
STRATEGIES: Mapping[str, Mapping[str, Any]] = {
    "rolling": {"type": "rolling"},
    "recreate": {"type": "recreate"},
    "canary": {"type": "canary", "service": "shop", "steps": [{"weight": 30, "pauseSeconds": 0}]},
    "blueGreen": {"type": "blueGreen", "service": "shop", "keepSeconds": 600},
}


def measure() -> Iterator[Figure]:
    """On a real control plane, with three pods that need half a second to start."""
    with ControlPlane() as plane, Client(plane.kubeconfig) as client:
        plane.kubelet.delay = START
        for name, strategy in STRATEGIES.items():
            rounds = [_roll_back(plane, client, strategy) for _ in range(ROUNDS)]
            changed, done = zip(*rounds, strict=True)
            yield Figure(f"rollback, {name}: target changed", "s", changed, limit=2)
            yield Figure(f"rollback, {name}: serves, verified", "s", done)
        yield Figure("drift told", "s", [_drift(plane, client)], limit=75)


def _roll_back(
    plane: ControlPlane, client: Client, strategy: Mapping[str, Any]
) -> tuple[float, float]:
    """Seconds from the command until the target was changed, and until the old image serves."""
    with ExitStack() as stack:
        deployed = _deployed(stack, plane, client, strategy)
        first = deployed.begin("2")
        settled(deployed, first)
        settled(deployed, deployed.begin("3"))
        asked = time.monotonic()
        made = deployed.service.interventions.roll_back(PROJECT, deployed.receiver)
        wait_for(lambda: deployed.service.get_execution(PROJECT, made.id).changes, 60)
        changed = time.monotonic() - asked
        settled(deployed, made.id)
        return changed, time.monotonic() - asked


def settled(deployed: Deployed, execution: str) -> None:
    """Wait until all traffic has the image; what tidies up afterwards may go on."""

    def serves() -> bool:
        found = deployed.service.get_execution(PROJECT, execution)
        assert found.state not in (ExecutionState.FAILED, ExecutionState.CANCELLED), found.message
        return found.settled or found.state is ExecutionState.SUCCEEDED

    wait_for(serves, 90)


def _drift(plane: ControlPlane, client: Client) -> float:
    """Seconds from ``kubectl set image`` until the audit tells of it."""
    with ExitStack() as stack:
        deployed = _deployed(stack, plane, client, {"type": "rolling"})
        wait_for_end(deployed.service, deployed.begin("2"))
        asked = time.monotonic()
        deployed.set_image("acme/shop:9")
        asked_for = PageRequest(filters={"action": "target.drifted"})
        wait_for(lambda: deployed.service.list_audit(PROJECT, asked_for).items, 120)
        return time.monotonic() - asked


def _deployed(
    stack: ExitStack, plane: ControlPlane, client: Client, strategy: Mapping[str, Any]
) -> Deployed:
    folder = Path(stack.enter_context(TemporaryDirectory()))
    service = stack.enter_context(serving(plane.kubeconfig, folder))
    namespace = plane.new_namespace("back")
    Shop(client, plane.kubeconfig, namespace).start()
    return Deployed(service, Target(client, namespace), strategy=dict(strategy), timeoutSeconds=60)
