from typing import Any

import pytest

from tests.contract.client import APPLY, JSON_PATCH, MERGE, STRATEGIC, Client
from tests.contract.manifests import (
    configmap,
    configmaps,
    deployment,
    deployments,
    image_patch,
    resource,
)


@pytest.fixture
def path(client: Client, namespace: str) -> str:
    client.ok("POST", deployments(namespace), deployment())
    return deployments(namespace, "shop")


def containers(item: Any) -> list[Any]:
    found: list[Any] = item["spec"]["template"]["spec"]["containers"]
    return found


def pod_patch(**spec: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": spec}}}


def test_sidecar_survives_a_strategic_merge(client: Client, path: str) -> None:
    patched = client.ok("PATCH", path, image_patch("acme/shop:2"), STRATEGIC)
    app, proxy = containers(patched)
    assert (app["image"], proxy["image"]) == ("acme/shop:2", "envoy:1")
    assert app["env"] == [{"name": "MODE", "value": "live"}] and app["ports"]
    assert patched["metadata"]["generation"] == 2


def test_sidecar_is_lost_in_a_merge_patch(client: Client, path: str) -> None:
    patched = client.ok("PATCH", path, image_patch("acme/shop:2"), MERGE)
    assert [item["name"] for item in containers(patched)] == ["app"]
    assert "env" not in containers(patched)[0]


def test_a_new_container_is_added_by_a_strategic_merge(client: Client, path: str) -> None:
    patch = pod_patch(containers=[{"name": "log", "image": "log:1"}])
    patched = client.ok("PATCH", path, patch, STRATEGIC)
    assert {item["name"] for item in containers(patched)} == {"app", "proxy", "log"}


def test_a_container_is_removed_by_a_delete_directive(client: Client, path: str) -> None:
    patch = pod_patch(containers=[{"name": "proxy", "$patch": "delete"}])
    patched = client.ok("PATCH", path, patch, STRATEGIC)
    assert [item["name"] for item in containers(patched)] == ["app"]


def test_a_list_is_replaced_by_a_replace_directive(client: Client, path: str) -> None:
    only = [{"name": "app", "image": "acme/shop:3"}, {"$patch": "replace"}]
    patched = client.ok("PATCH", path, pod_patch(containers=only), STRATEGIC)
    assert [item["image"] for item in containers(patched)] == ["acme/shop:3"]


def test_environment_variables_are_merged_by_name(client: Client, path: str) -> None:
    env = [{"name": "MODE", "value": "test"}, {"name": "NEW", "value": "1"}]
    patch = pod_patch(containers=[{"name": "app", "env": env}])
    merged = containers(client.ok("PATCH", path, patch, STRATEGIC))[0]["env"]
    assert {item["name"]: item["value"] for item in merged} == {"MODE": "test", "NEW": "1"}
    patch = pod_patch(containers=[{"name": "app", "env": [{"name": "MODE", "$patch": "delete"}]}])
    left = containers(client.ok("PATCH", path, patch, STRATEGIC))[0]["env"]
    assert [item["name"] for item in left] == ["NEW"]


def test_ports_are_merged_by_their_number(client: Client, path: str) -> None:
    ports = [{"containerPort": 80, "name": "web"}, {"containerPort": 81}]
    patch = pod_patch(containers=[{"name": "app", "ports": ports}])
    merged = containers(client.ok("PATCH", path, patch, STRATEGIC))[0]["ports"]
    assert {item["containerPort"]: item.get("name") for item in merged} == {80: "web", 81: None}


def test_volumes_and_mounts_are_merged_by_their_keys(client: Client, path: str) -> None:
    first = {
        "volumes": [{"name": "a", "emptyDir": {}}],
        "containers": [{"name": "app", "volumeMounts": [{"name": "a", "mountPath": "/a"}]}],
    }
    second = {
        "volumes": [{"name": "b", "emptyDir": {}}],
        "containers": [{"name": "app", "volumeMounts": [{"name": "b", "mountPath": "/b"}]}],
    }
    client.ok("PATCH", path, pod_patch(**first), STRATEGIC)
    patched = client.ok("PATCH", path, pod_patch(**second), STRATEGIC)
    mounts = containers(patched)[0]["volumeMounts"]
    assert {item["mountPath"] for item in mounts} == {"/a", "/b"}
    assert {v["name"] for v in patched["spec"]["template"]["spec"]["volumes"]} == {"a", "b"}


def test_a_plain_list_is_replaced_by_a_strategic_merge(client: Client, path: str) -> None:
    for args in (["a", "b"], ["c"]):
        patch = pod_patch(containers=[{"name": "app", "args": args}])
        patched = client.ok("PATCH", path, patch, STRATEGIC)
    assert containers(patched)[0]["args"] == ["c"]


@pytest.mark.parametrize("media", [STRATEGIC, MERGE])
def test_null_removes_a_field(client: Client, path: str, media: str) -> None:
    noted = {"metadata": {"annotations": {"a": "1", "b": "2"}}}
    client.ok("PATCH", path, noted, media)
    gone = {"metadata": {"annotations": {"a": None}}}
    annotations = client.ok("PATCH", path, gone, media)["metadata"]["annotations"]
    assert "a" not in annotations and annotations["b"] == "2"


def test_the_strategy_is_changed_with_a_replace_directive(client: Client, path: str) -> None:
    patch = {"spec": {"strategy": {"$patch": "replace", "type": "Recreate"}}}
    patched = client.ok("PATCH", path, patch, STRATEGIC)
    assert patched["spec"]["strategy"] == {"type": "Recreate"}


def test_recreate_beside_rolling_parameters_is_refused(client: Client, path: str) -> None:
    answer = client.send("PATCH", path, {"spec": {"strategy": {"type": "Recreate"}}}, STRATEGIC)
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["details"]["causes"][0]["field"] == "spec.strategy.rollingUpdate"


@pytest.mark.parametrize("media", [STRATEGIC, MERGE])
def test_stale_resource_version_is_refused(client: Client, path: str, media: str) -> None:
    old = client.ok("GET", path)["metadata"]["resourceVersion"]
    client.ok("PATCH", path, {"metadata": {"annotations": {"note": "1"}}}, MERGE)
    patch = image_patch("acme/shop:2") | {"metadata": {"resourceVersion": old}}
    answer = client.send("PATCH", path, patch, media)
    assert (answer.code, answer.body["reason"]) == (409, "Conflict")
    assert answer.body["message"] == (
        'Operation cannot be fulfilled on deployments.apps "shop": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    assert containers(client.ok("GET", path))[0]["image"] == "acme/shop:1"


def test_current_resource_version_is_accepted(client: Client, namespace: str) -> None:
    made = client.ok("POST", configmaps(namespace), configmap("one"))
    version = made["metadata"]["resourceVersion"]
    patch = {"metadata": {"resourceVersion": version}, "data": {"key": "other"}}
    patched = client.ok("PATCH", configmaps(namespace, "one"), patch, MERGE)
    assert patched["data"] == {"key": "other"}
    assert patched["metadata"]["resourceVersion"] != version


def test_a_json_patch_changes_one_place(client: Client, path: str) -> None:
    image = "/spec/template/spec/containers/0/image"
    operations = [
        {"op": "test", "path": image, "value": "acme/shop:1"},
        {"op": "replace", "path": image, "value": "acme/shop:2"},
        {"op": "add", "path": "/metadata/labels/acme.example~1by", "value": "me"},
        {"op": "add", "path": "/spec/template/spec/containers/0/args", "value": ["a"]},
        {"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "b"},
        {"op": "remove", "path": "/spec/template/spec/containers/0/env"},
    ]
    patched = client.ok("PATCH", path, operations, JSON_PATCH)
    app = containers(patched)[0]
    assert (app["image"], app["args"]) == ("acme/shop:2", ["a", "b"])
    assert "env" not in app and patched["metadata"]["labels"]["acme.example/by"] == "me"


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/spec/template/spec/containers/0/image", "value": "other"},
        {"op": "replace", "path": "/spec/missing/field", "value": 1},
        {"op": "remove", "path": "/metadata/annotations/missing~1one"},
        {"op": "add", "path": "/spec/template/spec/containers/9", "value": {}},
    ],
)
def test_a_json_patch_that_does_not_apply_changes_nothing(
    client: Client, path: str, operation: dict[str, Any]
) -> None:
    first = {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "x"}
    second = operation if operation["op"] != "test" else operation | {"value": "y"}
    answer = client.send("PATCH", path, [first, second], JSON_PATCH)
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    assert containers(client.ok("GET", path))[0]["image"] == "acme/shop:1"


def test_a_json_patch_that_is_no_list_is_refused(client: Client, path: str) -> None:
    answer = client.send("PATCH", path, {"op": "remove"}, JSON_PATCH)
    assert (answer.code, answer.body["reason"]) == (400, "BadRequest")


def test_an_unknown_patch_format_is_refused(client: Client, path: str) -> None:
    answer = client.send("PATCH", path, {}, "application/json")
    assert (answer.code, answer.body["reason"]) == (415, "UnsupportedMediaType")


def test_a_patch_of_a_missing_object_is_refused(client: Client, namespace: str) -> None:
    answer = client.send("PATCH", deployments(namespace, "nope"), {}, STRATEGIC)
    assert (answer.code, answer.body["reason"]) == (404, "NotFound")


def test_a_name_cannot_be_patched(client: Client, path: str) -> None:
    answer = client.send("PATCH", path, {"metadata": {"name": "other"}}, MERGE)
    assert (answer.code, answer.body["reason"]) == (400, "BadRequest")


def test_a_list_element_without_its_key_is_refused(client: Client, path: str) -> None:
    answer = client.send("PATCH", path, pod_patch(containers=[{"image": "x"}]), STRATEGIC)
    assert answer.code == 500
    assert answer.body["message"] == "map: map[image:x] does not contain declared merge key: name"


def test_a_json_patch_takes_a_missing_member_as_null(client: Client, path: str) -> None:
    operation = {"op": "test", "path": "/spec/paused", "value": None}
    assert client.ok("PATCH", path, [operation], JSON_PATCH)


@pytest.mark.parametrize(
    "patch",
    [{"spec": {"replicas": "many"}}, pod_patch(containers="none"), pod_patch(containers=[1])],
)
def test_a_patch_of_wrong_types_is_refused(
    client: Client, path: str, patch: dict[str, Any]
) -> None:
    answer = client.send("PATCH", path, patch, MERGE)
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")


def test_an_applied_object_is_created_then_merged(client: Client, namespace: str) -> None:
    path, query = deployments(namespace, "shop"), {"fieldManager": "me"}
    first = client.send("PATCH", path, deployment(), APPLY, query)
    assert first.code == 201
    noted = deployment("acme/shop:2")
    second = client.send("PATCH", path, noted, APPLY, query)
    assert second.code == 200
    assert containers(second.body)[0]["image"] == "acme/shop:2"
    assert second.body["metadata"]["uid"] == first.body["metadata"]["uid"]


def test_an_apply_keeps_what_others_wrote(client: Client, path: str) -> None:
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}}
    body["metadata"]["annotations"] = {"mine": "1"}
    applied = client.ok("PATCH", path, body, APPLY, {"fieldManager": "me"})
    assert applied["metadata"]["annotations"]["mine"] == "1"
    assert len(containers(applied)) == 2


def test_an_apply_without_a_manager_is_refused(client: Client, path: str) -> None:
    answer = client.send("PATCH", path, deployment(), APPLY)
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    assert "is required for apply patch" in answer.body["message"]


def test_an_apply_takes_yaml(client: Client, namespace: str) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: one\ndata:\n  key: value\n"
    path = resource("v1", "configmaps", namespace, "one")
    made = client.ok("PATCH", path, media=APPLY, query={"fieldManager": "me"}, raw=text)
    assert made["data"] == {"key": "value"}
