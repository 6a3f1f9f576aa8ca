"""A service with one receiver on a cluster of the tests, as its people use it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.contract.client import STRATEGIC, Client
from tests.contract.shop import Shop
from tests.drivers.steps import images_of, workload
from tests.support import PROJECT, push, sqlite_url, wait_for, wait_for_end
from webhook_service import Execution, Settings, WebhookService
from webhook_service.model.history.revision import Revision


class Deployed:
    """What people do with a receiver, and what comes of it."""

    def __init__(self, service: WebhookService, shop: Shop, **config: Any) -> None:
        self.service, self.shop = service, shop
        target = {} if "selector" in config else {"name": "shop"}
        own = {"namespace": shop.namespace, **target, "timeoutSeconds": 20, **config}
        body = {"name": "shop", "driver": "deploymentUpdate", "deploymentUpdateConfig": own}
        self.receiver = service.create_receiver(PROJECT, body).id
        self.key = service.receiver_key(PROJECT, self.receiver)

    def begin(self, tag: str) -> str:
        (execution,) = push(self.service, self.key, tag, pushed_at=None).executions
        return execution

    def push(self, tag: str) -> Execution:
        return wait_for_end(self.service, self.begin(tag))

    def roll_back(self, **options: str) -> Execution:
        made = self.service.interventions.roll_back(PROJECT, self.receiver, **options)
        return wait_for_end(self.service, made.id)

    def cancel_when_changed(self, tag: str) -> None:
        """Cancel a push as soon as its rollout is followed."""
        execution = self.begin(tag)
        wait_for(lambda: self.service.get_execution(PROJECT, execution).changes)
        self.service.interventions.cancel(PROJECT, execution, force=True)

    def history(self) -> list[Revision]:
        return self.service.interventions.history(PROJECT, self.receiver)

    def image(self, name: str = "shop") -> str:
        found = self.shop.client.ok("GET", self.shop.path(name=name))
        return images_of(found)["app"]

    def set_image(self, image: str, manager: str = "kubectl-set", name: str = "shop") -> None:
        """As ``kubectl set image`` does, or whoever the manager is."""
        pod = {"containers": [{"name": "app", "image": image}]}
        patch = {"spec": {"template": {"spec": pod}}}
        path = self.shop.path(name=name)
        query = {"fieldManager": manager}
        self.shop.client.ok("PATCH", path, patch, STRATEGIC, query=query)


def create(client: Client, shop: Shop, name: str, image: str, **spec: Any) -> None:
    """A Deployment of another name, one of the fleet ``tier=web``, with pods of its own."""
    body = workload("Deployment", image, **spec)
    labels = {"app": name}
    body["metadata"] = {"name": name, "namespace": shop.namespace, "labels": {"tier": "web"}}
    body["spec"]["selector"] = {"matchLabels": labels}
    body["spec"]["template"]["metadata"]["labels"] = labels
    client.ok("POST", shop.path(name=""), body)


@contextmanager
def serving(kubeconfig: Path, folder: Path) -> Iterator[WebhookService]:
    settings = Settings(database_url=sqlite_url(folder), kubeconfig=kubeconfig)
    with WebhookService.open(settings) as service:
        yield service
