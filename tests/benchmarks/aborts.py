"""How fast a pushed version loses its traffic after an abort, through the service, on a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.figures import Figure
from tests.contract.aborting import SCENARIOS, abort
from tests.contract.client import Client
from tests.contract.deployed import serving
from tests.servers.control_plane import ControlPlane

ROUNDS = 3


def measure() -> Iterator[Figure]:
    """On a real control plane, with three pods; each several times."""
    with ControlPlane() as plane, Client(plane.kubeconfig) as client:
        for name, scenario in SCENARIOS.items():
            seconds = []
            for _ in range(ROUNDS):
                with (
                    TemporaryDirectory() as folder,
                    serving(plane.kubeconfig, Path(folder)) as service,
                ):
                    namespace = plane.new_namespace("abort")
                    found = abort(service, plane.kubeconfig, client, namespace, scenario)
                    seconds.append(found.seconds)
            yield Figure(f"abort of {name}", "s", seconds, limit=5)
