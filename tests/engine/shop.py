"""A Deployment on the cluster double, a receiver that updates it, and pushes that arrive."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from tests.support import PROJECT, push, wait_for_end
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_service.driver import WebhookDriver
from webhook_service.engine.judge import judge
from webhook_service.model.delivery import Delivery
from webhook_service.model.execution import Claim, Verdict
from webhook_service.service import WebhookService
from webhook_service.testing import FakeCluster

REPOSITORY = "acme/shop"


def deployment_update(kubeconfig: Path) -> type[WebhookDriver[Any, Any]]:
    """The driver, on the cluster that a file names."""

    class DeploymentUpdateHere(DeploymentUpdate):
        def __init__(self, options: object = None) -> None:
            super().__init__({"kubeconfig": str(kubeconfig)})

    return DeploymentUpdateHere


def add_deployment(cluster: FakeCluster, name: str) -> None:
    labels = {"app": name}
    container = {"name": "shop", "image": f"{REPOSITORY}:0"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": name, "namespace": "default"}
    cluster.apply(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    )


@dataclass
class Shop:
    """One Deployment and its receiver.

    ``start`` starts a host that runs executions; the first one only receives.
    """

    cluster: FakeCluster
    receiving: WebhookService
    start: Callable[[], WebhookService]
    name: str = "shop"
    sent: dict[str, list[Delivery]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        add_deployment(self.cluster, self.name)
        config = {"namespace": "default", "name": self.name, "strategy": {"type": "rolling"}}
        body = {"driver": "deploymentUpdate", "deploymentUpdateConfig": config}
        receiver = self.receiving.create_receiver(PROJECT, {"name": self.name, **body})
        self.key = self.receiving.receiver_key(PROJECT, receiver.id)

    def push(self, tag: str, at: datetime | None) -> Delivery:
        delivery = push(self.receiving, self.key, tag, REPOSITORY, at)
        self.sent.setdefault(tag, []).append(delivery)
        return delivery

    def deploy(self, tag: str, at: datetime | None) -> None:
        """Push, and wait until that has come to an end."""
        wait_for_end(self.receiving, self.push(tag, at).executions[0])

    def claim(self) -> Claim:
        """What a worker of another host takes now."""
        (claim,) = self.receiving.store.claims.claim(1)
        return claim

    def step(self, claim: Claim) -> Verdict:
        """What that worker does with it; nothing is recorded."""
        return judge(claim, self.receiving.drivers)

    def lose_workers(self) -> None:
        """Every worker that runs something is gone, and that is found out."""
        end = text("UPDATE executions SET lease_until = 1 WHERE state = 'running'")
        self.receiving.store.database.write(lambda connection: connection.execute(end))
        self.receiving.store.claims.sweep()

    def wait_until_idle(self) -> None:
        """Wait until all that was pushed has ended."""
        for delivery in [each for sent in self.sent.values() for each in sent]:
            for execution in delivery.executions:
                wait_for_end(self.receiving, execution, 30)

    def state(self, tag: str) -> str:
        """What became of the first push of a tag."""
        (execution,) = self.sent[tag][0].executions
        return self.receiving.get_execution(PROJECT, execution).state

    @property
    def image(self) -> str:
        spec = self._deployment["spec"]["template"]["spec"]
        image: str = spec["containers"][0]["image"]
        return image

    @property
    def changes(self) -> int:
        """How often the spec was changed."""
        generation: int = self._deployment["metadata"]["generation"]
        return generation - 1

    @property
    def _deployment(self) -> dict[str, Any]:
        return self.cluster.get("Deployment", "default", self.name)
