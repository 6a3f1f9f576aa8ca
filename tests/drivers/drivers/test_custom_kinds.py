"""Any kind with a pod template: JSON merges that leave everything else as it is."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from tests.drivers.steps import (
    LABELS,
    SHA,
    config,
    context,
    image_change,
    pod_spec,
    push,
    run_to_end,
    workload,
)
from webhook_drivers.kubernetes.api.client import MERGE
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_service import Done, DriverError, InvalidConfig, Unchanged, Wait
from webhook_service.testing import FakeCluster, definition, sample_context

ROLLOUT = {"kind": "Rollout", "apiVersion": "argoproj.io/v1alpha1", "plural": "rollouts"}
UNKNOWN = {"image": "not/ours:1", "x-vendor": {"list": [{"b": 1, "a": None}]}, "1": 1.5}


def rollout() -> dict[str, Any]:
    spec = pod_spec()
    spec["containers"][1] |= {"vendor": UNKNOWN}
    template = {"metadata": {"labels": LABELS}, "spec": spec, "vendor": UNKNOWN}
    return {
        "apiVersion": ROLLOUT["apiVersion"],
        "kind": "Rollout",
        "metadata": {"name": "shop", "namespace": "default", "labels": LABELS},
        "spec": {"replicas": 2, "workload": {"template": template}, "vendor": UNKNOWN},
    }


@pytest.fixture
def fake(fake: FakeCluster) -> FakeCluster:
    fake.apply(definition("Rollout"))
    return fake


def settings(**more: Any) -> Any:
    return config(podTemplate="spec.workload.template", **(ROLLOUT | more))


def report(driver: DeploymentUpdate, **status: Any) -> None:
    """What the kind's controller writes."""
    cluster = driver.cluster(settings(), sample_context())
    patch = {"status": status}
    cluster.patch(settings().address, patch, content_type=MERGE, subresource="status")


def live(fake: FakeCluster) -> Any:
    return fake.get("Rollout", "default", "shop")


def test_only_the_image_of_a_custom_kind_changes(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    before = fake.apply(rollout())
    driver.validate(settings(), sample_context())
    outcome = run_to_end(driver, settings(), push("2", SHA), context(1))
    assert isinstance(outcome, Done)
    assert outcome.changes == (image_change("acme/shop:1", f"acme/shop:2@{SHA}", "Rollout"),)
    wanted = deepcopy(before["spec"])
    wanted["workload"]["template"]["spec"]["containers"][0]["image"] = f"acme/shop:2@{SHA}"
    assert live(fake)["spec"] == wanted
    again = driver.execute(settings(), push("2", SHA), context(2, identity="push-1"))
    assert isinstance(again, Unchanged)


def test_a_tag_pushed_anew_is_named_on_the_template(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    fake.apply(rollout())
    run_to_end(driver, settings(), push("1"), context(1))
    template = live(fake)["spec"]["workload"]["template"]
    assert template["metadata"] == {
        "labels": LABELS,
        "annotations": {"webhook-service.io/push": "push-1"},
    }


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ({"observedGeneration": 1}, "waiting for the controller"),
        ({"observedGeneration": "1"}, "waiting for the controller"),
        ({"conditions": [{"type": "Ready", "status": "False", "message": "nearly"}]}, "nearly"),
        ({"conditions": [{"type": "Available", "status": "Unknown", "reason": "No"}]}, "No"),
        ({"conditions": [{"type": "Reconciling", "status": "True"}]}, "Reconciling"),
        ({"updatedReplicas": 1, "readyReplicas": 2}, "1 of 2 updatedReplicas"),
        ({"availableReplicas": 0}, "0 of 2 availableReplicas"),
    ],
)
def test_what_its_status_says_is_waited_for(
    driver: DeploymentUpdate, fake: FakeCluster, status: dict[str, Any], says: str
) -> None:
    fake.apply(rollout())
    report(driver, **status)
    waiting = driver.execute(settings(), push("2"), context(1))
    assert isinstance(waiting, Wait) and says in waiting.message


def stalled(minute: int) -> dict[str, Any]:
    condition = {"type": "Stalled", "status": "True", "message": f"no quota at {minute}"}
    return {"conditions": [condition | {"lastTransitionTime": f"2026-01-01T00:{minute:02}:00Z"}]}


def test_a_status_of_failure_is_undone(driver: DeploymentUpdate, fake: FakeCluster) -> None:
    before = fake.apply(rollout())
    report(driver, **stalled(1), updatedReplicas=1)
    undoing = settings(rollbackOnFailure=True)
    first = driver.execute(undoing, push("2", SHA), context(1))
    assert isinstance(first, Wait) and first.message == "1 of 2 updatedReplicas"
    report(driver, **stalled(2))
    back = driver.execute(undoing, push("2", SHA), replace(context(1), state=first.state))
    assert isinstance(back, Wait) and back.message == "rolling back: 1 of 2 updatedReplicas"
    report(driver, conditions=[], updatedReplicas=2)
    with pytest.raises(DriverError, match="failed: no quota at 2. It was rolled back") as caught:
        driver.execute(undoing, push("2", SHA), replace(context(1), state=back.state))
    assert caught.value.reason == "rolled_back"
    assert live(fake)["spec"] == before["spec"]


def test_a_kind_that_is_not_served_is_a_clear_failure(driver: DeploymentUpdate) -> None:
    other = settings(apiVersion="example.com/v1", kind="Boat", plural="boats")
    with pytest.raises(InvalidConfig, match="does not serve boats.example.com in version v1"):
        driver.validate(other, sample_context())


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "Rollout"},
        {"kind": "Rollout", "plural": "rollouts"},
        {"kind": "Rollout", "apiVersion": "argoproj.io/v1alpha1"},
        ROLLOUT | {"apiVersion": "v1"},
        ROLLOUT | {"apiVersion": "a/b/v1"},
        ROLLOUT | {"plural": "rollouts/status"},
        ROLLOUT | {"podTemplate": "spec..template"},
        ROLLOUT | {"podTemplate": ""},
        ROLLOUT | {"strategy": {"type": "recreate"}},
        ROLLOUT | {"strategy": {"maxSurge": 1}},
        {"selector": {"app": "shop"}},
        {"name": None},
        {"name": None, "selector": {}},
        {"name": None, "selector": {"app": "a,b"}},
        {"name": None, "selector": {"a b": "c"}},
    ],
)
def test_a_target_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        config(**wrong)


BUILT_IN = [
    ("Deployment", "apps/v1", "deployments"),
    ("ReplicaSet", "apps/v1", "replicasets"),
    ("CronJob", "batch/v1beta1", "cronjobs"),
    ("Pod", "core/v1", "pods"),
    ("Deployment", "extensions/v1beta1", "deployments"),
    ("DeviceClass", "resource.k8s.io/v1", "deviceclasses"),
]


@pytest.mark.parametrize(("kind", "version", "plural"), BUILT_IN)
def test_a_kind_of_kubernetes_is_no_custom_kind(
    driver: DeploymentUpdate, fake: FakeCluster, kind: str, version: str, plural: str
) -> None:
    fake.apply(workload())
    target = settings(kind=kind, apiVersion=version, plural=plural)
    with pytest.raises(InvalidConfig, match=f"^apiVersion: {version} is of Kubernetes itself"):
        driver.validate(target, sample_context())


def test_a_stored_receiver_of_such_a_kind_fails_and_says_what_to_change(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    before = fake.apply(workload())
    target = config(kind="Deployment", apiVersion="apps/v1", plural="deployments")
    for call in (driver.execute, driver.running):
        with pytest.raises(DriverError) as caught:
            call(target, push("2", SHA), context(1))
        assert caught.value.reason == "built_in_kind"
    after = fake.get("Deployment", "default", "shop")
    assert after["spec"] == before["spec"]
    assert after["metadata"].get("annotations") == before["metadata"].get("annotations")
    assert "leave `apiVersion` and `plural` out for a Deployment" in caught.value.message
    assert driver.plan(target, push("2"), context(1)).notes == (caught.value.message,)
    advised = config(kind="Deployment")
    driver.validate(advised, sample_context())
    assert isinstance(run_to_end(driver, advised, push("2", SHA), context(1)), Done)


@pytest.mark.parametrize("group", ["sparkoperator.k8s.io", "jobset.x-k8s.io", "apps.example.com"])
def test_a_group_with_a_dot_may_hold_custom_kinds(group: str) -> None:
    found = settings(apiVersion=f"{group}/v1")
    found.refuse_built_in()
    assert found.api_version == f"{group}/v1"
