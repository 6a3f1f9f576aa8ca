"""What the demonstration deploys, and what it pushes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

NAMESPACE = "shop"
NAME = "shop"
REPLICAS = 3
LABELS = {"app": NAME}


@dataclass(frozen=True)
class Scenario:
    """Tags of one Docker Hub repository, and a sidecar that no push may touch."""

    repository: str
    running: str
    pushed: str
    next: str
    sidecar: str
    sidecar_command: Sequence[str] = ()

    def image(self, tag: str) -> str:
        return f"docker.io/{self.repository}:{tag}"


SIMULATED = Scenario("acme/shop", "1.0.0", "1.1.0", "1.2.0", "docker.io/acme/logs:2.1")
# A real cluster has to be able to pull the images.
REAL = Scenario(
    "library/nginx",
    "1.28-alpine",
    "1.29-alpine",
    "1.27-alpine",
    "docker.io/library/busybox:1.37",
    ("sleep", "infinity"),
)


def namespace() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}


def deployment(scenario: Scenario) -> dict[str, Any]:
    """The Deployment as it is before the push."""
    containers: list[dict[str, Any]] = [
        {"name": "shop", "image": scenario.image(scenario.running)},
        {"name": "logs", "image": scenario.sidecar},
    ]
    if scenario.sidecar_command:
        containers[1]["command"] = list(scenario.sidecar_command)
    template = {
        "metadata": {"labels": LABELS},
        "spec": {"containers": containers, "terminationGracePeriodSeconds": 5},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": LABELS},
        "spec": {"replicas": REPLICAS, "selector": {"matchLabels": LABELS}, "template": template},
    }


def receiver(scenario: Scenario) -> dict[str, Any]:
    """The receiver's body, as a POST to /v1-webhooks/receivers would carry it."""
    return {
        "name": "shop",
        "driver": "deploymentUpdate",
        "deploymentUpdateConfig": {"namespace": NAMESPACE, "name": NAME, "rollbackOnFailure": True},
        "source": {"format": "dockerhub"},
        "match": {"repositories": [scenario.repository]},
        "verify": {"scheme": "none"},
    }
