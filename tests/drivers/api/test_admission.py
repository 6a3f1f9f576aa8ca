"""The policy's expressions, evaluated on objects as the API server stored them.

The control plane of the tests is older than the policy's API; the language is the same.
"""

import copy
from collections.abc import Callable
from typing import Any

import cel
import pytest
from kubernetes import client
from pydantic.alias_generators import to_camel

from webhook_drivers.kubernetes.api import admission
from webhook_drivers.kubernetes.api.admission import policy

ACCOUNT = "system:serviceaccount:webhook-service:webhook-service"
Object = dict[str, Any]


def deployment() -> Object:
    container = {
        "name": "shop",
        "image": "docker.io/acme/shop:1.0.0",
        "env": [{"name": "MODE", "value": "live"}],
        "resources": {"limits": {"cpu": "1"}},
        "imagePullPolicy": "IfNotPresent",
    }
    template = {
        "metadata": {"labels": {"app": "shop"}, "annotations": {"prometheus.io/scrape": "true"}},
        "spec": {
            "containers": [container, {"name": "logs", "image": "docker.io/acme/logs:2.1"}],
            "initContainers": [{"name": "wait", "image": "docker.io/acme/shop:1.0.0"}],
            "serviceAccountName": "shop",
            "volumes": [{"name": "data", "emptyDir": {}}],
        },
    }
    return {
        "metadata": {
            "name": "shop",
            "labels": {"team": "shop"},
            "annotations": {"deployment.kubernetes.io/revision": "1"},
        },
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "shop"}},
            "strategy": {"type": "RollingUpdate"},
            "template": template,
        },
    }


def cron_job() -> Object:
    inner = deployment()
    template = inner["spec"]["template"]
    return {
        "metadata": inner["metadata"],
        "spec": {"schedule": "@daily", "jobTemplate": {"spec": {"template": template}}},
    }


def pods_of(obj: Object) -> Object:
    spec: Object = obj["spec"]
    found: Object = spec["jobTemplate"]["spec"]["template"] if "jobTemplate" in spec else None
    return found or spec["template"]


def allowed(old: Object, new: Object) -> bool:
    spec = policy(ACCOUNT)[0]["spec"]
    values: Object = {"object": new, "oldObject": old, "variables": {}}
    for variable in spec["variables"]:
        values["variables"][variable["name"]] = cel.evaluate(variable["expression"], values)
    return all(cel.evaluate(rule["expression"], values) for rule in spec["validations"])


def changed(obj: Object, change: Callable[[Object], object]) -> Object:
    new = copy.deepcopy(obj)
    change(new)
    return new


def set_image(obj: Object) -> None:
    spec = pods_of(obj)["spec"]
    for item in (*spec["containers"], *spec["initContainers"]):
        item["image"] = "docker.io/acme/shop:2.0.0@sha256:" + 64 * "a"


def annotate(obj: Object) -> None:
    obj["metadata"]["annotations"] |= {
        "webhook-service.io/pushes": "{}",
        "kubernetes.io/change-cause": "docker.io/acme/shop:2.0.0 by webhook-service",
    }
    pods_of(obj)["metadata"]["annotations"]["webhook-service.io/push"] = "abc"


@pytest.mark.parametrize("kind", [deployment, cron_job])
@pytest.mark.parametrize(
    "change",
    [set_image, annotate, lambda obj: None, lambda obj: obj["spec"].update(replicas=5)],
    ids=["images", "annotations", "nothing", "replicas"],
)
def test_what_the_drivers_write_is_allowed(
    kind: Callable[[], Object], change: Callable[[Object], object]
) -> None:
    old = kind()
    assert allowed(old, changed(old, change))


def test_our_annotations_may_go_again() -> None:
    old = changed(deployment(), annotate)
    assert allowed(old, deployment())


def test_the_first_annotation_of_an_object_is_allowed() -> None:
    old = deployment()
    del old["metadata"]["annotations"], pods_of(old)["metadata"]["annotations"]
    notes = {"webhook-service.io/pushes": "{}"}
    assert allowed(old, changed(old, lambda obj: obj["metadata"].update(annotations=notes)))
    others = {"team.example/owner": "me"}
    assert not allowed(old, changed(old, lambda obj: obj["metadata"].update(annotations=others)))


EVIL = {"name": "evil", "image": "docker.io/evil/miner:1"}


@pytest.mark.parametrize("kind", [deployment, cron_job])
@pytest.mark.parametrize(
    "change",
    [
        lambda pod, obj: pod["spec"]["containers"].append(EVIL),
        lambda pod, obj: pod["spec"]["containers"].pop(),
        lambda pod, obj: pod["spec"]["containers"][0].update(command=["sh"]),
        lambda pod, obj: pod["spec"]["containers"][0].pop("env"),
        lambda pod, obj: pod["spec"]["containers"][0]["env"].append({"name": "A", "value": "b"}),
        lambda pod, obj: pod["spec"]["containers"][1].update(securityContext={"privileged": True}),
        lambda pod, obj: pod["spec"].pop("initContainers"),
        lambda pod, obj: pod["spec"].update(hostNetwork=True),
        lambda pod, obj: pod["spec"].update(serviceAccountName="admin"),
        lambda pod, obj: pod["spec"]["volumes"].append({"name": "h", "hostPath": {"path": "/"}}),
        lambda pod, obj: pod["metadata"]["labels"].update(app="other"),
        lambda pod, obj: pod["metadata"]["annotations"].clear(),
        lambda pod, obj: obj["metadata"]["annotations"].update({"team.example/owner": "me"}),
        lambda pod, obj: obj["metadata"]["labels"].clear(),
        lambda pod, obj: obj["spec"].update(revisionHistoryLimit=0),
        lambda pod, obj: obj["spec"].update(schedule="* * * * *", selector={}),
    ],
)
def test_anything_else_is_denied(
    kind: Callable[[], Object], change: Callable[[Object, Object], object]
) -> None:
    old = kind()
    assert not allowed(old, changed(old, lambda obj: change(pods_of(obj), obj)))


def test_settings_of_jobs_are_denied() -> None:
    old = cron_job()
    job = changed(old, lambda obj: obj["spec"]["jobTemplate"]["spec"].update(parallelism=99))
    assert not allowed(old, job)


def fields(*models: Any) -> set[str]:
    return {field.alias or to_camel(name) for m in models for name, field in m.model_fields.items()}


@pytest.mark.parametrize(
    ("guarded", "models", "open_"),
    [
        (admission.CONTAINER, [client.V1Container], {"name", "image"}),
        (admission.POD, [client.V1PodSpec], {"containers", "initContainers"}),
        (admission.JOB, [client.V1JobSpec], {"template"}),
        (
            admission.WORKLOAD,
            [
                client.V1DeploymentSpec,
                client.V1StatefulSetSpec,
                client.V1DaemonSetSpec,
                client.V1CronJobSpec,
            ],
            {
                "template",
                "jobTemplate",
                "replicas",
                "minReadySeconds",
                "strategy",
                "updateStrategy",
            },
        ),
    ],
)
def test_no_field_of_the_api_is_forgotten(
    guarded: list[str], models: list[Any], open_: set[str]
) -> None:
    assert {name.lower() for name in guarded} == {name.lower() for name in fields(*models) - open_}


def test_it_binds_our_account_only() -> None:
    spec = policy(ACCOUNT)[0]["spec"]
    [condition] = spec["matchConditions"]
    for user, bound in ((ACCOUNT, True), ("system:admin", False)):
        request = {"request": {"userInfo": {"username": user}}}
        assert cel.evaluate(condition["expression"], request) is bound
    assert spec["failurePolicy"] == "Fail"
