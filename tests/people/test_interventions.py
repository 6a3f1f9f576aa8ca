"""Rollback from end to end, on a simulated cluster."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.test_docs import deployment
from tests.support import PROJECT, push, sqlite_url, wait_for_end
from webhook_service import Settings, WebhookService, WebhookServiceError
from webhook_service.testing import FakeCluster

SHOP = deployment("acme/shop:1.0.0")


class Shop:
    """A deployment, and a receiver that changes it."""

    def __init__(self, service: WebhookService, cluster: FakeCluster) -> None:
        self.service = service
        self.cluster = cluster
        body = {
            "name": "shop",
            "driver": "deploymentUpdate",
            "deploymentUpdateConfig": {"namespace": "shop", "name": "shop"},
        }
        self.receiver = service.create_receiver(PROJECT, body).id
        self.key = service.receiver_key(PROJECT, self.receiver)

    def push(self, tag: str) -> str:
        (execution,) = push(self.service, self.key, tag, pushed_at=None).executions
        assert wait_for_end(self.service, execution).state == "succeeded"
        return execution

    def roll_back(self, **options: str) -> str:
        """The image that runs afterwards."""
        made = self.service.interventions.roll_back(PROJECT, self.receiver, **options)
        ended = wait_for_end(self.service, made.id)
        assert ended.state == "succeeded", ended.message
        return self.image

    @property
    def image(self) -> str:
        template = self.cluster.get("Deployment", "shop", "shop")["spec"]["template"]
        return str(template["spec"]["containers"][0]["image"])


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with FakeCluster() as cluster:
        cluster.apply(SHOP)
        config = cluster.write_kubeconfig(tmp_path / "kubeconfig")
        settings = Settings(database_url=sqlite_url(tmp_path), kubeconfig=config)
        with WebhookService.open(settings) as service:
            yield Shop(service, cluster)


def test_each_rollback_goes_one_push_further_back(shop: Shop) -> None:
    first = shop.push("1.2.1")
    for tag in ("1.2.2", "1.2.3"):
        shop.push(tag)
    assert shop.roll_back() == "acme/shop:1.2.2"
    assert shop.roll_back() == "acme/shop:1.2.1"
    assert shop.roll_back() == "acme/shop:1.0.0", "what ran before the first push"
    with pytest.raises(WebhookServiceError, match="name the image with 'to'"):
        shop.roll_back()
    assert shop.roll_back(to="acme/shop:1.2.3") == "acme/shop:1.2.3"
    assert shop.roll_back(to=first) == "acme/shop:1.2.1"


def test_a_newer_push_deploys_after_a_rollback(shop: Shop) -> None:
    for tag in ("1.2.1", "1.2.2"):
        shop.push(tag)
    shop.roll_back()
    shop.push("1.2.3")
    assert shop.image == "acme/shop:1.2.3"


def test_another_target_has_no_history_yet(shop: Shop) -> None:
    for tag in ("1.2.1", "1.2.2"):
        shop.push(tag)
    other = {**SHOP, "metadata": {"name": "other", "namespace": "shop"}}
    shop.cluster.apply(other)
    config = {"namespace": "shop", "name": "other"}
    shop.service.update_receiver(PROJECT, shop.receiver, {"deploymentUpdateConfig": config})
    with pytest.raises(WebhookServiceError, match="to its target is recorded yet"):
        shop.roll_back()
