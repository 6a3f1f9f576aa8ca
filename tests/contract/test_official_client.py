"""What drivers do, in the official client's own words."""

import json

import pytest
from kubernetes.client import ApiClient, AppsV1Api, CoreV1Api
from kubernetes.client.exceptions import ApiException
from kubernetes.watch import Watch

from tests.contract.client import Client
from tests.contract.manifests import deployment, image_patch


@pytest.fixture
def api(client: Client) -> ApiClient:
    return client.api


def test_raw_calls_answer_json(api: ApiClient, namespace: str) -> None:
    apps = AppsV1Api(api)
    apps.create_namespaced_deployment(namespace, deployment(), _preload_content=False)
    patch = image_patch("acme/shop:2")
    answer = apps.patch_namespaced_deployment(
        "shop", namespace, patch, field_manager="webhook-service", _preload_content=False
    )
    containers = json.loads(answer.data)["spec"]["template"]["spec"]["containers"]
    assert [item["image"] for item in containers] == ["acme/shop:2", "envoy:1"]


def test_typed_calls_read_the_answers(api: ApiClient, namespace: str) -> None:
    apps = AppsV1Api(api)
    apps.create_namespaced_deployment(namespace, deployment())
    listed = apps.list_namespaced_deployment(namespace, label_selector="app=shop")
    assert [item.metadata.name for item in listed.items] == ["shop"]
    scale = apps.read_namespaced_deployment_scale("shop", namespace)
    assert scale.status.replicas == 0
    assert CoreV1Api(api).list_namespaced_pod(namespace).items == []


def test_a_missing_object_raises_with_its_status(api: ApiClient, namespace: str) -> None:
    with pytest.raises(ApiException) as caught:
        AppsV1Api(api).read_namespaced_deployment("nope", namespace)
    assert caught.value.status == 404
    assert json.loads(caught.value.body)["reason"] == "NotFound"


def test_the_watch_helper_sees_a_change(api: ApiClient, namespace: str) -> None:
    apps = AppsV1Api(api)
    apps.create_namespaced_deployment(namespace, deployment())
    watch = Watch()
    stream = watch.stream(apps.list_namespaced_deployment, namespace, timeout_seconds=10)
    event = next(iter(stream))
    watch.stop()
    stream.close()
    assert event["object"].metadata.name == "shop"
