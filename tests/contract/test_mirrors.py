"""Workloads that pull what was pushed under another name: by a mirror, or by admission."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.contract.client import MERGE, Client, eventually
from tests.contract.conftest import Cluster
from tests.contract.shop import Shop
from tests.drivers.steps import OTHER_SHA, SHA, config, context, images_of, push, run_to_end
from tests.servers.admission import mutating_webhook
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_drivers.kubernetes.images.push_record import read
from webhook_service import Done, TargetConflict, Unchanged

MIRRORS = {"docker.io": "harbor.corp/dockerhub"}
AT_MIRROR = "harbor.corp/dockerhub/acme/shop"
CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"


def test_a_push_keeps_the_mirror_of_the_workload(driver: DeploymentUpdate, shop: Shop) -> None:
    shop.create(image=f"{AT_MIRROR}:1")
    settings = config(shop.namespace)
    outcome = run_to_end(driver, settings, push("2", SHA), context(1, mirrors=MIRRORS))
    assert isinstance(outcome, Done)
    assert shop.images()["app"] == f"{AT_MIRROR}:2@{SHA}"
    runs = f"2 of 2 pods run {AT_MIRROR}:2@{SHA}, pushed as docker.io/acme/shop:2@{SHA}."
    assert outcome.message == runs
    assert driver.running(settings, push("3"), context(2, mirrors=MIRRORS)) == ("2",)
    copy = context(2, identity="push-1", mirrors=MIRRORS)
    assert isinstance(driver.execute(settings, push("2", SHA), copy), Unchanged)


def test_without_a_word_about_the_mirror_nothing_is_changed(
    driver: DeploymentUpdate, shop: Shop
) -> None:
    shop.create(image=f"{AT_MIRROR}:1")
    with pytest.raises(TargetConflict) as caught:
        driver.execute(config(shop.namespace), push("2", SHA), context(1))
    assert '`match.mirrors`, as {"docker.io": "harbor.corp/dockerhub"}' in caught.value.message
    assert shop.images()["app"] == f"{AT_MIRROR}:1"


def to_mirror(obj: dict[str, Any]) -> None:
    """What an admission plug-in does that makes all pods pull from a mirror."""
    if obj.get("kind") != "Deployment":
        return
    for item in obj["spec"]["template"]["spec"]["containers"]:
        item["image"] = item["image"].removeprefix("docker.io/")
        if item["image"].startswith("acme/shop"):
            item["image"] = f"harbor.corp/dockerhub/{item['image']}"


@contextmanager
def rewriting(cluster: Cluster, client: Client, namespace: str, folder: Path) -> Iterator[None]:
    if cluster.fake is not None:
        cluster.fake.mutate(to_mirror)
        yield
        cluster.fake.mutate(lambda _: None)
        return
    labels = {"tests/rewritten": namespace}
    client.ok("PATCH", f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": labels}}, MERGE)
    with mutating_webhook(folder, to_mirror) as where:
        rule = {
            "apiGroups": ["apps"],
            "apiVersions": ["v1"],
            "resources": ["deployments"],
            "operations": ["CREATE", "UPDATE"],
        }
        webhook = {
            "name": "mirror.tests.example",
            "clientConfig": where,
            "rules": [rule],
            "namespaceSelector": {"matchLabels": labels},
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
        }
        client.ok("POST", CONFIGURATIONS, {"metadata": {"name": namespace}, "webhooks": [webhook]})
        try:
            yield
        finally:
            client.ok("DELETE", f"{CONFIGURATIONS}/{namespace}")


@pytest.fixture
def rewritten(cluster: Cluster, client: Client, shop: Shop, tmp_path: Path) -> Iterator[Shop]:
    """A workload in a namespace whose Deployments an admission plug-in changes."""
    shop.create()
    with rewriting(cluster, client, shop.namespace, tmp_path):
        body = {"metadata": {"annotations": {"tests/touched": "1"}}}

        def active() -> bool:
            client.ok("PATCH", shop.path() + "?dryRun=All", body, MERGE)
            found = client.ok("PATCH", shop.path() + "?dryRun=All", body, MERGE)
            return images_of(found)["app"].startswith("harbor.corp/")

        eventually(active)
        yield shop


def test_what_admission_made_of_a_push_is_known_to_the_next(
    driver: DeploymentUpdate, rewritten: Shop
) -> None:
    shop, settings = rewritten, config(rewritten.namespace)
    outcome = run_to_end(driver, settings, push("2", SHA), context(1))
    assert isinstance(outcome, Done)
    assert outcome.message.startswith(f"2 of 2 pods run {AT_MIRROR}:2@{SHA}, pushed as docker.io")
    record = read(shop.get())["docker.io/acme/shop"]
    assert record.aliases == (AT_MIRROR,)
    # Others may change the workload meanwhile: what came back is remembered.
    shop.tune(replicas=1)
    eventually(lambda: shop.settled("Deployment"))
    assert isinstance(run_to_end(driver, settings, push("3", OTHER_SHA), context(2)), Done)
    assert shop.images()["app"] == f"{AT_MIRROR}:3@{OTHER_SHA}"
    copy = context(3, identity="push-2")
    assert isinstance(driver.execute(settings, push("3", OTHER_SHA), copy), Unchanged)


def test_a_failed_push_that_admission_rewrote_is_undone(
    driver: DeploymentUpdate, rewritten: Shop
) -> None:
    settings = config(rewritten.namespace, rollbackOnFailure=True, timeoutSeconds=1)
    with pytest.raises(Exception, match=r"It was rolled back"):
        run_to_end(driver, settings, push("bad", SHA), context(1))
    assert isinstance(
        run_to_end(driver, config(rewritten.namespace), push("3", OTHER_SHA), context(2)),
        Done,
    )


def test_an_image_set_by_hand_is_not_taken_for_what_admission_made(
    driver: DeploymentUpdate, client: Client, shop: Shop
) -> None:
    shop.create()
    settings = config(shop.namespace)
    assert isinstance(run_to_end(driver, settings, push("2", SHA), context(1)), Done)
    containers = [{"name": "app", "image": f"{AT_MIRROR}:2@{SHA}"}]
    body = {"spec": {"template": {"spec": {"containers": containers}}}}
    client.ok("PATCH", shop.path(), body, "application/strategic-merge-patch+json")
    with pytest.raises(TargetConflict):
        driver.execute(settings, push("3", OTHER_SHA), context(2))
