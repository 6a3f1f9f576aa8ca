from typing import Any

import pytest

from tests.contract.client import Client
from tests.contract.manifests import configmap, configmaps, deployment, deployments


@pytest.fixture
def path(client: Client, namespace: str) -> str:
    for name, labels in {
        "a": {"tier": "web", "env": "live"},
        "b": {"tier": "web", "env": "test"},
        "c": {"tier": "db"},
        "d": {},
    }.items():
        client.ok("POST", configmaps(namespace), configmap(name, **labels))
    return configmaps(namespace)


def names(answer: Any) -> str:
    # Newer servers put a ConfigMap of their own into every namespace.
    found = (item["metadata"]["name"] for item in answer["items"])
    return "".join(name for name in found if name != "kube-root-ca.crt")


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("tier=web", "ab"),
        ("tier==web,env=live", "a"),
        ("tier!=web", "cd"),
        ("tier", "abc"),
        ("!tier", "d"),
        ("env in (live, test)", "ab"),
        ("env notin (live),tier", "bc"),
        ("tier in (web),!missing", "ab"),
        ("", "abcd"),
    ],
)
def test_labels_select(client: Client, path: str, selector: str, expected: str) -> None:
    assert names(client.ok("GET", path, query={"labelSelector": selector})) == expected


@pytest.mark.parametrize(
    ("selector", "expected"),
    [("metadata.name=b", "b"), ("metadata.name!=b", "acd"), ("metadata.name=none", "")],
)
def test_fields_select(client: Client, path: str, selector: str, expected: str) -> None:
    assert names(client.ok("GET", path, query={"fieldSelector": selector})) == expected


@pytest.mark.parametrize("selector", ["a in (", "=x", "a in b"])
def test_a_broken_label_selector_is_refused(client: Client, path: str, selector: str) -> None:
    answer = client.send("GET", path, query={"labelSelector": selector})
    assert (answer.code, answer.body["reason"]) == (400, "BadRequest")


def test_an_unknown_field_is_refused(client: Client, path: str) -> None:
    answer = client.send("GET", path, query={"fieldSelector": "data.key=value"})
    assert (answer.code, answer.body["reason"]) == (400, "BadRequest")


def test_pages_together_hold_every_object_once(client: Client, path: str) -> None:
    query, found = {"limit": "2", "labelSelector": "tier"}, ""
    for _ in range(5):
        page = client.ok("GET", path, query=query)
        assert len(page["items"]) <= 2
        found += names(page)
        if not (token := page["metadata"].get("continue")):
            break
        query["continue"] = token
    assert found == "abc"


def test_a_broken_continue_token_is_refused(client: Client, path: str) -> None:
    answer = client.send("GET", path, query={"limit": "1", "continue": "?"})
    assert (answer.code, answer.body["reason"]) == (400, "BadRequest")


def test_a_list_names_its_kind_and_version(client: Client, namespace: str) -> None:
    client.ok("POST", deployments(namespace), deployment())
    made = client.ok("GET", deployments(namespace, "shop"))["metadata"]["resourceVersion"]
    listed = client.ok("GET", deployments(namespace))
    assert (listed["kind"], listed["apiVersion"]) == ("DeploymentList", "apps/v1")
    assert "kind" not in listed["items"][0]
    assert int(listed["metadata"]["resourceVersion"]) >= int(made)


def test_a_list_spans_all_namespaces(client: Client, namespace: str) -> None:
    client.ok("POST", deployments(namespace), deployment())
    everywhere = client.ok("GET", "/apis/apps/v1/deployments")["items"]
    assert namespace in {item["metadata"]["namespace"] for item in everywhere}
    only = client.ok(
        "GET",
        "/apis/apps/v1/deployments",
        query={"fieldSelector": f"metadata.namespace={namespace}"},
    )
    assert [item["metadata"]["name"] for item in only["items"]] == ["shop"]
