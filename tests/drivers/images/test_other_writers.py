"""People, controllers and other services that change the same workload lose nothing by a push."""

import threading
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.kills import Deadly, DeadlyClusters
from tests.drivers.steps import (
    SHA,
    config,
    context,
    images_of,
    push,
    run_to_end,
    template_of,
    wait_until_settled,
    workload,
)
from webhook_drivers.kubernetes.api.client import JSON_PATCH, Cluster
from webhook_drivers.kubernetes.api.transport import ApiReply, ApiRequest
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_drivers.kubernetes.images.unfinished_mark import DRAINED
from webhook_service import Done, Outcome, Retry, TargetConflict, Wait
from webhook_service.testing import FakeCluster

Edit = Callable[[dict[str, Any]], None]
ROLLING: dict[str, Any] = {"maxSurge": 1, "maxUnavailable": 0}
RECREATE = {"type": "recreate", "restoreStrategy": True}
STRATEGIES = {
    "rolling": ("Deployment", ROLLING),
    "recreate": ("Deployment", RECREATE),
    "recreate-stateful": ("StatefulSet", {"type": "recreate"}),
}
PROBE = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 7}


def app(obj: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = template_of(obj)["spec"]["containers"][0]
    return found


EDITS: dict[str, Edit] = {
    "environment": lambda obj: app(obj)["env"].append({"name": "NEW", "value": "1"}),
    "sidecar": lambda obj: template_of(obj)["spec"]["containers"][1].update(image="envoy:2"),
    "init": lambda obj: template_of(obj)["spec"]["initContainers"][0].update(args=["down"]),
    "probe": lambda obj: app(obj).update(readinessProbe=PROBE),
    "resources": lambda obj: app(obj).update(resources={"limits": {"cpu": "1"}}),
    "unknown": lambda obj: app(obj).update({"x-vendor": {"a": [None, {"b": 1.5}]}}),
    "labels": lambda obj: obj["metadata"].setdefault("labels", {}).update(team="web"),
    "annotations": lambda obj: obj["metadata"]["annotations"].update({"example.com/a": "b"}),
}


class Meddling(Deadly):
    """A transport before whose n-th call somebody else writes."""

    def __init__(self, transport: Any, at: int, write: Callable[[], None]) -> None:
        super().__init__(transport, 0, sent=False)
        self._when, self._write = at, write

    def exchange(self, ask: ApiRequest) -> ApiReply:
        if self.calls + 1 == self._when:
            self._write()
        return super().exchange(ask)


class MeddlingClusters(DeadlyClusters):
    def meddle(self, at: int, write: Callable[[], None]) -> Meddling:
        self.armed = None
        self.armed = Meddling(self.get().transport, at, write)
        return self.armed


@pytest.fixture
def clusters(fake: FakeCluster, tmp_path: Path) -> Iterator[MeddlingClusters]:
    clusters = MeddlingClusters({"kubeconfig": str(fake.write_kubeconfig(tmp_path / "config"))})
    yield clusters
    clusters.close()


def write(cluster: Cluster, kind: str, edit: Edit) -> None:
    """Read, change and write back the whole object, as `kubectl edit` does."""
    address = config(kind=kind).address
    obj = cluster.get(address)
    obj["metadata"].setdefault("annotations", {})
    edit(obj)
    metadata = obj["metadata"]
    values = {
        "/spec": obj["spec"],
        "/metadata/annotations": metadata["annotations"],
        "/metadata/labels": metadata.get("labels", {}),
    }
    patch = [{"op": "add", "path": path, "value": value} for path, value in values.items()]
    cluster.patch(address, patch, content_type=JSON_PATCH)


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("what", EDITS)
def test_a_change_at_any_moment_is_kept_beside_the_push(
    fake: FakeCluster, clusters: MeddlingClusters, what: str, name: str
) -> None:
    kind, strategy = STRATEGIES[name]
    settings, edit, hand = config(kind=kind, strategy=strategy), EDITS[what], clusters.get()
    driver = DeploymentUpdate(clusters=clusters)
    for call in range(1, 40):
        before = settled(fake, kind)
        meddling = clusters.meddle(call, lambda: write(hand, kind, edit))
        outcome = run_to_end(driver, settings, push("2", SHA), context(call))
        assert isinstance(outcome, Done)
        wanted = deepcopy(before)
        wanted["metadata"].setdefault("annotations", {})
        if meddling.calls >= call:
            edit(wanted)
        app(wanted)["image"] = f"acme/shop:2@{SHA}"
        check(fake.get(kind, "default", "shop"), wanted, name)
        fake.delete(kind, "default", "shop")
        if meddling.calls < call:
            return
    raise AssertionError("it never ended")


def check(found: dict[str, Any], wanted: dict[str, Any], name: str) -> None:
    if name == "rolling":
        wanted["spec"]["strategy"]["rollingUpdate"] = ROLLING
    assert found["spec"] == wanted["spec"]
    assert found["metadata"].get("labels") == wanted["metadata"].get("labels")
    notes = wanted["metadata"]["annotations"].items()
    assert notes <= found["metadata"]["annotations"].items()


def settled(fake: FakeCluster, kind: str) -> dict[str, Any]:
    fake.apply(workload(kind))
    wait_until_settled(fake, kind, "shop")
    found = fake.get(kind, "default", "shop")
    found["metadata"].get("annotations", {}).pop("deployment.kubernetes.io/revision", None)
    return found


@pytest.mark.parametrize("name", STRATEGIES)
def test_two_services_that_push_two_containers_at_once_both_end(
    driver: DeploymentUpdate, fake: FakeCluster, name: str
) -> None:
    kind, strategy = STRATEGIES[name]
    settled(fake, kind)
    settings = config(kind=kind, strategy=strategy)
    ends: list[Outcome] = []

    def run(repository: str, number: int) -> None:
        event = push("2", repository=repository)
        ends.append(patiently(driver, settings, event, number))

    threads = [
        threading.Thread(target=run, args=(repository, number))
        for number, repository in enumerate(("acme/shop", "library/envoy"), 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(end) for end in ends] == [Done, Done]
    found = fake.get(kind, "default", "shop")
    assert images_of(found)["app"] == "acme/shop:2" and images_of(found)["proxy"] == "envoy:2"
    assert found["spec"]["replicas"] == 2
    assert DRAINED not in found["metadata"]["annotations"]


def patiently(driver: DeploymentUpdate, settings: Any, event: Any, number: int) -> Outcome:
    """To the end, as the engine does: what was changed by others too often is tried again."""
    here = context(number)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            outcome = driver.execute(settings, event, here)
        except Retry:
            continue
        if not isinstance(outcome, Wait):
            return outcome
        here = replace(here, state=outcome.state)
        time.sleep(0.01)
    raise AssertionError(here.state)


def test_a_scaling_while_the_old_pods_end_is_kept(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    settled(fake, "StatefulSet")
    settings = config(kind="StatefulSet", strategy={"type": "recreate"})
    first = driver.execute(settings, push("2"), context(1))
    assert isinstance(first, Wait)
    fake.apply(workload("StatefulSet", replicas=5))
    with pytest.raises(TargetConflict, match="was scaled to 5 by somebody else"):
        driver.execute(settings, push("2"), replace(context(1), state=first.state))
    found = fake.get("StatefulSet", "default", "shop")
    assert found["spec"]["replicas"] == 5 and images_of(found)["app"] == "acme/shop:1"
    assert isinstance(run_to_end(driver, settings, push("3"), context(2)), Done)
    found = fake.get("StatefulSet", "default", "shop")
    assert found["spec"]["replicas"] == 5 and images_of(found)["app"] == "acme/shop:3"


def test_a_newer_push_ends_what_a_dead_one_has_begun(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    settled(fake, "StatefulSet")
    settings = config(kind="StatefulSet", strategy={"type": "recreate"})
    assert isinstance(driver.execute(settings, push("2"), context(1)), Wait)
    outcome = run_to_end(driver, settings, push("3"), context(2))
    assert isinstance(outcome, Done)
    found = fake.get("StatefulSet", "default", "shop")
    assert found["spec"]["replicas"] == 2 and images_of(found)["app"] == "acme/shop:3"
