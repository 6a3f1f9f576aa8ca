from typing import Any

import pytest

from tests.contract.client import MERGE, STRATEGIC, Client
from tests.contract.manifests import (
    configmap,
    configmaps,
    deployment,
    deployments,
    resource,
)


def fields(body: Any) -> set[str]:
    return {cause["field"] for cause in body["details"]["causes"]}


def test_a_missing_object_is_not_found(client: Client, namespace: str) -> None:
    answer = client.send("GET", deployments(namespace, "nope"))
    assert answer.body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'deployments.apps "nope" not found',
        "reason": "NotFound",
        "details": {"name": "nope", "group": "apps", "kind": "deployments"},
        "code": 404,
    }


def test_a_missing_core_object_is_not_found(client: Client, namespace: str) -> None:
    answer = client.send("GET", configmaps(namespace, "nope"))
    assert answer.body["message"] == 'configmaps "nope" not found'
    assert answer.body["details"] == {"name": "nope", "kind": "configmaps"}


def test_nothing_is_created_in_a_missing_namespace(client: Client) -> None:
    answer = client.send("POST", deployments("nowhere"), deployment())
    assert answer.code == 404
    assert answer.body["message"] == 'namespaces "nowhere" not found'


def test_a_collection_of_a_missing_namespace_is_empty(client: Client) -> None:
    assert client.ok("GET", deployments("nowhere"))["items"] == []


def test_an_unknown_resource_is_not_found(client: Client) -> None:
    answer = client.send("GET", resource("apps/v1", "gadgets", "default"))
    assert answer.code == 404
    assert answer.body["message"] == "the server could not find the requested resource"


def test_a_method_without_a_name_is_not_allowed(client: Client) -> None:
    answer = client.send("PUT", deployments("default"), deployment())
    assert (answer.code, answer.body["reason"]) == (405, "MethodNotAllowed")


def test_a_wrong_token_is_refused(client: Client) -> None:
    headers = {"Authorization": "Bearer wrong"}
    answer = client.send("GET", deployments("default"), headers=headers)
    assert (answer.code, answer.body["reason"]) == (401, "Unauthorized")
    assert answer.body["message"] == "Unauthorized"


def test_a_broken_body_is_refused(client: Client, namespace: str) -> None:
    answer = client.send("POST", deployments(namespace), raw=b'{"metadata": {')
    assert (answer.code, answer.body["reason"]) == (400, "BadRequest")


def test_a_broken_patch_is_refused(client: Client, namespace: str) -> None:
    client.ok("POST", configmaps(namespace), configmap("one"))
    answer = client.send("PATCH", configmaps(namespace, "one"), media=STRATEGIC, raw=b"{")
    assert (answer.code, answer.body["reason"]) == (400, "BadRequest")


def test_another_kind_is_refused(client: Client, namespace: str) -> None:
    body = deployment() | {"kind": "StatefulSet"}
    assert client.send("POST", deployments(namespace), body).code == 400


def test_another_namespace_is_refused(client: Client, namespace: str) -> None:
    body = deployment()
    body["metadata"]["namespace"] = "default"
    answer = client.send("POST", deployments(namespace), body)
    assert (answer.code, answer.body["reason"]) == (400, "BadRequest")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"replicas": -1}, "spec.replicas"),
        ({"minReadySeconds": -1}, "spec.minReadySeconds"),
        ({"progressDeadlineSeconds": 5, "minReadySeconds": 5}, "spec.progressDeadlineSeconds"),
        ({"selector": {"matchLabels": {"app": "x"}}}, "spec.template.metadata.labels"),
        ({"selector": None}, "spec.selector"),
    ],
)
def test_an_invalid_deployment_is_refused(
    client: Client, namespace: str, change: dict[str, Any], field: str
) -> None:
    answer = client.send("POST", deployments(namespace), deployment(**change))
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    assert field in fields(answer.body)
    assert answer.body["message"].startswith('Deployment.apps "shop" is invalid: ')


@pytest.mark.parametrize(
    ("containers", "message"),
    [
        ([], "spec.template.spec.containers: Required value"),
        ([{"name": "app"}], "spec.template.spec.containers[0].image: Required value"),
        ([{"image": "x"}], "spec.template.spec.containers[0].name: Required value"),
        (
            [{"name": "app", "image": "x"}, {"name": "app", "image": "y"}],
            'spec.template.spec.containers[1].name: Duplicate value: "app"',
        ),
    ],
)
def test_invalid_containers_are_refused(
    client: Client, namespace: str, containers: list[Any], message: str
) -> None:
    body = deployment()
    body["spec"]["template"]["spec"]["containers"] = containers
    answer = client.send("POST", deployments(namespace), body)
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["message"] == f'Deployment.apps "shop" is invalid: {message}'


def test_an_emptied_image_is_refused(client: Client, namespace: str) -> None:
    client.ok("POST", deployments(namespace), deployment())
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": ""}]}}}}
    answer = client.send("PATCH", deployments(namespace, "shop"), patch, STRATEGIC)
    assert answer.code == 422
    assert fields(answer.body) == {"spec.template.spec.containers[0].image"}


def test_a_selector_cannot_be_changed(client: Client, namespace: str) -> None:
    client.ok("POST", deployments(namespace), deployment())
    labels = {"matchLabels": {"app": "shop", "tier": "web"}}
    template = {"metadata": {"labels": labels["matchLabels"]}}
    patch = {"spec": {"selector": labels, "template": template}}
    answer = client.send("PATCH", deployments(namespace, "shop"), patch, MERGE)
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    assert fields(answer.body) == {"spec.selector"}
    assert answer.body["message"].endswith("field is immutable")


def test_a_stateful_set_keeps_its_service_name(client: Client, namespace: str) -> None:
    path = resource("apps/v1", "statefulsets", namespace)
    spec = deployment()["spec"] | {"serviceName": "shop"}
    client.ok("POST", path, {"metadata": {"name": "shop"}, "spec": spec})
    answer = client.send("PATCH", f"{path}/shop", {"spec": {"serviceName": "x"}}, MERGE)
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["message"].startswith('StatefulSet.apps "shop" is invalid: spec: Forbidden')


@pytest.mark.parametrize("name", ["Shop", "shop_1", "-shop"])
def test_an_invalid_name_is_refused(client: Client, namespace: str, name: str) -> None:
    answer = client.send("POST", deployments(namespace), deployment(name=name))
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    assert "metadata.name" in fields(answer.body)


def test_a_missing_name_is_refused(client: Client, namespace: str) -> None:
    answer = client.send("POST", configmaps(namespace), {"metadata": {}})
    assert answer.code == 422
    assert "metadata.name: Required value: name or generateName is required" in str(answer.body)


def test_a_denied_patch_says_what_was_denied(
    client: Client, namespace: str, stranger: Client
) -> None:
    answer = stranger.send("PATCH", deployments(namespace, "shop"), {}, MERGE)
    assert (answer.code, answer.body["reason"]) == (403, "Forbidden")
    assert answer.body["message"] == (
        'deployments.apps "shop" is forbidden: User "webhook-service" cannot patch resource '
        f'"deployments" in API group "apps" in the namespace "{namespace}"'
    )
    assert answer.body["details"] == {"name": "shop", "group": "apps", "kind": "deployments"}


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        (
            "GET",
            "/api/v1/namespaces/default/pods",
            'pods is forbidden: User "webhook-service" cannot list resource "pods" in API group '
            '"" in the namespace "default"',
        ),
        (
            "GET",
            "/apis/apps/v1/deployments",
            'deployments.apps is forbidden: User "webhook-service" cannot list resource '
            '"deployments" in API group "apps" at the cluster scope',
        ),
        (
            "GET",
            "/apis/apps/v1/namespaces/default/deployments/shop/scale",
            'deployments.apps "shop" is forbidden: User "webhook-service" cannot get resource '
            '"deployments/scale" in API group "apps" in the namespace "default"',
        ),
        (
            "GET",
            "/api/v1/namespaces/default",
            'namespaces "default" is forbidden: User "webhook-service" cannot get resource '
            '"namespaces" in API group "" in the namespace "default"',
        ),
    ],
)
def test_a_denied_read_says_where(stranger: Client, method: str, path: str, message: str) -> None:
    answer = stranger.send(method, path)
    assert (answer.code, answer.body["message"]) == (403, message)


@pytest.mark.parametrize("allowed", [True, False])
def test_an_access_review_tells_the_truth(
    client: Client, request: pytest.FixtureRequest, allowed: bool
) -> None:
    asker = client if allowed else request.getfixturevalue("stranger")
    asked = {"verb": "patch", "group": "apps", "resource": "deployments", "namespace": "default"}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    review["spec"] = {"resourceAttributes": asked}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    answer = asker.send("POST", path, review)
    assert answer.code == 201 and answer.body["status"]["allowed"] is allowed


def test_health_and_version_are_served(client: Client) -> None:
    assert client.ok("GET", "/readyz") == client.ok("GET", "/healthz") == "ok"
    assert client.ok("GET", "/version")["major"] == "1"


MOST = 256 * 1024 - len("tests/big")


def annotated(size: int) -> dict[str, Any]:
    body = deployment()
    body["metadata"]["annotations"] = {"tests/big": "x" * size}
    return body


def test_annotations_fill_256_kib_and_no_more(client: Client, namespace: str) -> None:
    client.ok("POST", deployments(namespace), annotated(MOST))
    more = {"metadata": {"annotations": {"tests/small": "x"}}}
    answer = client.send("PATCH", deployments(namespace, "shop"), more, MERGE)
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    cause = {
        "reason": "FieldValueTooLong",
        "message": "Too long: must have at most 262144 bytes",
        "field": "metadata.annotations",
    }
    assert all(found == cause for found in answer.body["details"]["causes"])


def test_annotations_of_a_pod_template_have_the_same_limit(client: Client, namespace: str) -> None:
    body = deployment()
    body["spec"]["template"]["metadata"]["annotations"] = {"tests/big": "\u00e9" * (MOST // 2 + 1)}
    answer = client.send("POST", deployments(namespace), body)
    assert (answer.code, fields(answer.body)) == (422, {"spec.template.annotations"})
