"""Rollouts that hang: what is said of them, and how a StatefulSet gets over a broken pod."""

from dataclasses import replace
from typing import Any

import pytest

from tests.contract.client import MERGE, Client, eventually
from tests.contract.manifests import resource
from tests.contract.shop import Shop
from tests.drivers.steps import (
    SHA,
    config,
    context,
    images_of,
    push,
    run_to_end,
    template_of,
    workload,
)
from webhook_drivers.kubernetes.drivers.deployment_update import (
    DeploymentUpdate,
    DeploymentUpdateConfig,
)
from webhook_service import Done, DriverError, Wait

STARTED = {"waiting": {"reason": "ContainerCreating"}}
PROBE = {"httpGet": {"path": "/ready", "port": 8080}}


def reason_of(shop: Shop, driver: DeploymentUpdate, settings: DeploymentUpdateConfig) -> str:
    """What is said of the push that hangs, once its time is over."""
    with pytest.raises(DriverError) as caught:
        run_to_end(driver, settings, push("bad", SHA), context(1))
    return caught.value.message


def pods(shop: Shop, image: str) -> list[dict[str, Any]]:
    found = shop.client.ok("GET", resource("v1", "pods", shop.namespace))["items"]
    return [pod for pod in found if images_of({"spec": {"template": pod}})["app"].startswith(image)]


def reported(shop: Shop, image: str) -> dict[str, Any]:
    """A pod of this image, after its kubelet has said how it is."""
    found = pods(shop, image)
    statuses = found[0]["status"].get("containerStatuses", ()) if found else ()
    states = [item["state"] for item in statuses]
    assert any(each != STARTED for each in states), states
    return found[0]


def say(shop: Shop, image: str, status: dict[str, Any]) -> dict[str, Any]:
    """Play the kubelet of a pod that runs this image."""

    def done() -> dict[str, Any]:
        pod = reported(shop, image)
        path = resource("v1", "pods", shop.namespace, pod["metadata"]["name"])
        # A kubelet looks again at pods that have not begun, and at those of other images.
        images = images_of({"spec": {"template": pod}})
        for key in ("containerStatuses", "initContainerStatuses"):
            for item in status.get(key, ()):
                item["image"] = images[item["name"]]
        body = {"status": {"phase": "Running", **status}}
        return dict(shop.client.ok("PATCH", f"{path}/status", body, MERGE))

    return dict(eventually(done))


def hang(
    shop: Shop, driver: DeploymentUpdate, status: dict[str, Any], said: str, event: str = ""
) -> str:
    """What a rollout says whose new pod has this status, after ten seconds of it.

    Waits until it says ``said``: the stand-in kubelet may report the pod once more meanwhile.
    """
    settings = config(shop.namespace)
    first = driver.execute(settings, push("bad", SHA), context(1))
    assert isinstance(first, Wait)
    started = float(first.state["started"]) - 11
    again = replace(context(1), state={**first.state, "started": started})

    heard: list[str] = []

    def told() -> bool:
        pod = say(shop, "acme/shop:bad", status)
        if event:
            warn(shop, pod["metadata"], event)
        outcome = driver.execute(settings, push("bad", SHA), again)
        assert isinstance(outcome, Wait)
        heard.append(outcome.message)
        return said in outcome.message

    eventually(told)
    return heard[-1]


def warn(shop: Shop, pod: dict[str, Any], message: str) -> None:
    """Play the kubelet that cannot mount a volume of a pod."""
    about = {key: pod[key] for key in ("name", "namespace", "uid")}
    event = {
        "metadata": {"generateName": "mount-"},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", **about},
        "type": "Warning",
        "reason": "FailedMount",
        "message": message,
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }
    shop.client.ok("POST", resource("v1", "events", shop.namespace), event)


NO_ROOM = "0/3 nodes are available: 3 Insufficient cpu."
UNSCHEDULED = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
CRASHING = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting"}}
RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
STARTING = {"waiting": {"reason": "PodInitializing"}}


def container(name: str, state: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "state": state, "imageID": "", "ready": False, "restartCount": 0}


HANGING = [
    ({"conditions": [{**UNSCHEDULED, "message": NO_ROOM}]}, f"Unschedulable: {NO_ROOM}"),
    (
        {
            "initContainerStatuses": [container("migrate", CRASHING)],
            "containerStatuses": [container("app", STARTING)],
        },
        "init container migrate: CrashLoopBackOff: back-off 10s restarting",
    ),
    (
        {"initContainerStatuses": [], "containerStatuses": [container("app", RUNNING)]},
        "container app does not pass its readiness probe GET /ready on port 8080",
    ),
]


@pytest.mark.parametrize(("status", "said"), HANGING, ids=["unschedulable", "init", "readiness"])
def test_a_rollout_that_takes_long_says_what_its_pods_say(
    driver: DeploymentUpdate, shop: Shop, status: dict[str, Any], said: str
) -> None:
    shop.create()
    template = shop.get()["spec"]["template"]
    template["spec"]["containers"][0]["readinessProbe"] = PROBE
    shop.tune(template=template)
    eventually(lambda: shop.settled("Deployment"))
    assert said in hang(shop, driver, status, said)


def test_a_volume_that_is_missing_is_said_in_the_words_of_the_event(
    driver: DeploymentUpdate, shop: Shop
) -> None:
    shop.create()
    creating = container("app", {"waiting": {"reason": "ContainerCreating", "message": ""}})
    status = {"initContainerStatuses": [], "containerStatuses": [creating]}
    missing = 'configmap "shop" not found'
    said = f"FailedMount: {missing}"
    assert said in hang(shop, driver, status, said, missing)


def stuck(driver: DeploymentUpdate, shop: Shop) -> DeploymentUpdateConfig:
    """A StatefulSet that waits for a pod of a bad push, which nobody has undone."""
    shop.create("StatefulSet", replicas=3)
    settings = config(shop.namespace, kind="StatefulSet", timeoutSeconds=1)
    assert "ImagePullBackOff" in reason_of(shop, driver, settings)
    return config(shop.namespace, kind="StatefulSet", timeoutSeconds=20)


def test_a_fix_gets_past_the_broken_pod_of_a_stateful_set(
    driver: DeploymentUpdate, shop: Shop
) -> None:
    settings = stuck(driver, shop)
    assert isinstance(run_to_end(driver, settings, push("2", SHA), context(2)), Done)
    assert images_of(shop.get("StatefulSet"))["app"] == f"acme/shop:2@{SHA}"
    assert len(pods(shop, "acme/shop:2")) == 3


def test_people_get_back_past_the_broken_pod_of_a_stateful_set(
    driver: DeploymentUpdate, shop: Shop
) -> None:
    settings = stuck(driver, shop)
    back = context(2, rolls_back="push-1")
    assert isinstance(run_to_end(driver, settings, push("1"), back), Done)
    assert len(pods(shop, "acme/shop:1")) == 3


def test_a_fix_gets_past_a_stateful_set_that_never_ran(
    driver: DeploymentUpdate, client: Client, shop: Shop
) -> None:
    body = workload("StatefulSet", "acme/shop:bad")
    body["metadata"]["namespace"] = shop.namespace
    client.ok("POST", shop.path("StatefulSet", ""), body)
    eventually(lambda: reported(shop, "acme/shop:bad"))
    settings = config(shop.namespace, kind="StatefulSet")
    assert isinstance(run_to_end(driver, settings, push("2", SHA), context(1)), Done)


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_on_delete_says_what_is_left_to_people(
    driver: DeploymentUpdate, shop: Shop, kind: str
) -> None:
    before = shop.create(kind, updateStrategy={"type": "OnDelete"})
    outcome = run_to_end(driver, config(shop.namespace, kind=kind), push("2", SHA), context(1))
    assert isinstance(outcome, Done)
    total = before["spec"].get("replicas", 3)
    assert f"OnDelete: {total} of {total} pods keep what they run until" in outcome.message
    assert f"kubectl -n {shop.namespace} delete pod NAME" in outcome.message
    assert template_of(shop.get(kind)) != template_of(before)
