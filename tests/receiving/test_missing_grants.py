"""Several projects on one service: what each may touch, and what operators are told."""

import json
import logging
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import make_service, push, receiver_body, sqlite_url, wait_for_end
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_drivers.kubernetes.drivers.service_upgrade import ServiceUpgrade
from webhook_service.driver import WebhookDriver
from webhook_service.errors import InvalidConfig
from webhook_service.model.delivery import Call
from webhook_service.receiving.missing_grants import missing_grants
from webhook_service.service import WebhookService
from webhook_service.settings import Settings, load_settings
from webhook_service.testing import FakeCluster
from webhook_service.testing.samples import dockerhub_push

DRIVERS: dict[str, type[WebhookDriver[Any, Any]]] = {
    "deploymentUpdate": DeploymentUpdate,
    "serviceUpgrade": ServiceUpgrade,
}


@pytest.fixture
def fake() -> Iterator[FakeCluster]:
    with FakeCluster() as cluster:
        for namespace in ("alpha", "beta"):
            cluster.apply(deployment(namespace))
        yield cluster


@pytest.fixture
def service(tmp_path: Path, fake: FakeCluster) -> Iterator[WebhookService]:
    path = fake.write_kubeconfig(tmp_path / "kubeconfig")
    with make_service(sqlite_url(tmp_path), DRIVERS, options={"kubeconfig": str(path)}) as made:
        yield made


def deployment(namespace: str) -> dict[str, Any]:
    labels = {"app": "shop"}
    pod = {"containers": [{"name": "shop", "image": "docker.io/acme/shop:1.0.0"}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop", "namespace": namespace, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def body(namespace: str, name: str = "shop") -> dict[str, Any]:
    config = {"namespace": namespace, "name": "shop"}
    return {"name": name, "driver": "deploymentUpdate", "deploymentUpdateConfig": config}


def settings(tmp_path: Path, **more: Any) -> Settings:
    return load_settings(database_url=sqlite_url(tmp_path), secret_key="k" * 16, **more)


def test_a_lone_project_needs_no_grant(service: WebhookService) -> None:
    service.create_token("alpha")
    assert service.create_receiver("alpha", body("beta"))


@pytest.mark.parametrize("by", ["token", "receiver"])
def test_among_others_a_project_touches_the_namespace_of_its_name_alone(
    service: WebhookService, by: str
) -> None:
    if by == "token":
        service.create_token("beta")
    else:
        service.create_receiver("beta", body("beta"))
    assert service.create_receiver("alpha", body("alpha"))
    with pytest.raises(InvalidConfig, match=r"alpha may not touch namespace beta .*NAMESPACES"):
        service.create_receiver("alpha", body("beta", "other"))
    upgrade = {"name": "up", "driver": "serviceUpgrade"}
    config = {"serviceSelector": {"app": "shop"}, "namespace": "beta", "tag": "1"}
    with pytest.raises(InvalidConfig, match="may not touch namespace beta"):
        service.create_receiver("alpha", {**upgrade, "serviceUpgradeConfig": config})
    del config["namespace"]
    assert service.create_receiver("alpha", {**upgrade, "serviceUpgradeConfig": config})


def test_a_revoked_token_is_no_other_project(service: WebhookService) -> None:
    token, _ = service.create_token("beta")
    service.revoke_token(token.id)
    assert service.create_receiver("alpha", body("beta"))


def test_a_stored_receiver_without_a_grant_changes_nothing_and_says_what_is_missing(
    service: WebhookService, fake: FakeCluster
) -> None:
    receiver = service.create_receiver("1a5", body("beta"))
    key = service.receiver_key("1a5", receiver.id)
    service.create_token("other")
    told = service.simulate("1a5", receiver.id, Call(dockerhub_push("acme/shop", "2.0.0")))
    assert "may not touch namespace beta" in str(told.planned[0].plan.notes)
    (execution,) = push(service, key, "2.0.0").executions
    ended = wait_for_end(service, execution)
    assert (ended.state, ended.reason) == ("failed", "namespace_not_granted")
    assert '"default/beta"' in ended.message and "WEBHOOK_SERVICE_NAMESPACES" in ended.message
    image = fake.get("Deployment", "beta", "shop")["spec"]["template"]["spec"]["containers"][0]
    assert image["image"] == "docker.io/acme/shop:1.0.0"


def test_the_operator_gets_the_setting_that_lets_all_go_on(
    service: WebhookService, tmp_path: Path, fake: FakeCluster
) -> None:
    def told() -> str | None:
        return missing_grants(settings(tmp_path), service.store, service.drivers)

    service.create_receiver("alpha", body("beta"))
    service.create_receiver("alpha", body("alpha", "own"))
    assert told() is None
    service.create_token("it's beta")
    message = told() or ""
    line = next(line for line in message.splitlines() if line.startswith("WEBHOOK_SERVICE_NAMES"))
    ((_, _, value),) = [word.partition("=") for word in shlex.split(line)]
    granted = json.loads(value)
    assert granted == {
        "alpha": ["default/alpha", "default/beta"],
        "it's beta": ["default/it's beta"],
    }
    with_it = settings(tmp_path, namespaces=granted)
    assert missing_grants(with_it, service.store, service.drivers) is None
    options = {"kubeconfig": str(fake.write_kubeconfig(tmp_path / "again")), "namespaces": granted}
    with make_service(sqlite_url(tmp_path), DRIVERS, options=options) as again:
        assert again.create_receiver("alpha", body("beta", "more"))


def test_nothing_is_said_if_each_project_keeps_to_its_own_namespace(
    service: WebhookService, tmp_path: Path
) -> None:
    for project in ("alpha", "beta"):
        service.create_receiver(project, body(project))
    assert missing_grants(settings(tmp_path), service.store, service.drivers) is None


def test_a_receiver_whose_driver_is_gone_hides_no_other(
    service: WebhookService, tmp_path: Path
) -> None:
    service.create_receiver("alpha", body("beta"))
    with make_service(sqlite_url(tmp_path), run=False) as older:
        older.create_receiver("beta", receiver_body())
    told = missing_grants(settings(tmp_path), service.store, service.drivers)
    assert told and '"default/beta"' in told


def test_a_service_logs_at_its_start_what_is_missing(
    service: WebhookService, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service.create_receiver("alpha", body("beta"))
    service.create_token("beta")
    secret = load_settings(
        database_url=sqlite_url(tmp_path), secret_key="a secret key of the tests"
    )
    with caplog.at_level(logging.ERROR):
        WebhookService.open(secret).stop()
    assert "WEBHOOK_SERVICE_NAMESPACES='{" in caplog.text
