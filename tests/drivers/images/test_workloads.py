from dataclasses import replace

import pytest

from tests.drivers.steps import template_of, workload
from webhook_drivers.kubernetes.images.workloads import (
    WORKLOADS,
    Container,
    containers,
    image_patch,
    pod_template,
    template_annotation,
    with_metadata,
    with_spec,
)

APP = Container("app", "acme/shop:2")
MIGRATE = Container("migrate", "acme/migrate:2", init=True)


@pytest.mark.parametrize("kind", WORKLOADS)
def test_every_kind_knows_its_pod_template(kind: str) -> None:
    obj = workload(kind)
    assert pod_template(WORKLOADS[kind], obj) == template_of(obj)
    assert [item.field for item in containers(WORKLOADS[kind], obj)] == [
        "initContainers[migrate].image",
        "containers[app].image",
        "containers[proxy].image",
    ]


def test_a_patch_names_containers_and_changes_only_images() -> None:
    assert image_patch(WORKLOADS["Deployment"], {}, (MIGRATE, APP)) == {
        "spec": {
            "template": {
                "spec": {
                    "initContainers": [{"name": "migrate", "image": "acme/migrate:2"}],
                    "containers": [{"name": "app", "image": "acme/shop:2"}],
                }
            }
        }
    }


def test_the_patch_of_a_cron_job_goes_to_its_job_template() -> None:
    patch = image_patch(WORKLOADS["CronJob"], {}, (APP,), {"a": None})
    template = patch["spec"]["jobTemplate"]["spec"]["template"]
    assert template["metadata"] == {"annotations": {"a": None}}
    assert template["spec"] == {"containers": [{"name": "app", "image": "acme/shop:2"}]}


def test_a_patch_carries_the_precondition_and_other_fields() -> None:
    patch = image_patch(WORKLOADS["Deployment"], {}, (APP,))
    patch = with_metadata(with_spec(patch, {"replicas": 0}), "42", {"note": "x", "old": None})
    assert patch["metadata"] == {"annotations": {"note": "x", "old": None}, "resourceVersion": "42"}
    assert patch["spec"]["replicas"] == 0 and "template" in patch["spec"]


def test_a_merge_patch_repeats_all_that_a_custom_kind_has() -> None:
    obj = workload()
    custom = replace(WORKLOADS["Deployment"], custom=True)
    spec = image_patch(custom, obj, (APP,))["spec"]["template"]["spec"]
    wanted = template_of(obj)["spec"]["containers"]
    wanted[0]["image"] = "acme/shop:2"
    assert spec == {"containers": wanted}


@pytest.mark.parametrize("obj", [{}, {"spec": None}, {"spec": {"template": []}}])
def test_incomplete_objects_have_no_containers(obj: dict[str, object]) -> None:
    assert containers(WORKLOADS["Deployment"], obj) == ()
    assert template_annotation(WORKLOADS["Deployment"], obj, "a") is None
