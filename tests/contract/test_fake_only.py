"""What Kubernetes 1.20 lacks, or what cannot be brought about on a real server in a test.

CronJob batch/v1 and EndpointSlice discovery.k8s.io/v1 (newer than 1.20); 410 Gone (the real
watch cache forgets only after many writes); custom resources (would need a definition); a failing
Job (the real controller backs off for ten seconds); the methods and settings of FakeCluster.
"""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.contract.client import APPLY, MERGE, STRATEGIC, Client, eventually
from tests.contract.manifests import (
    configmap,
    configmaps,
    deployment,
    image_patch,
    resource,
    template,
)
from webhook_service.testing import FakeCluster, Resource

ROLLOUT = Resource("argoproj.io/v1alpha1", "rollouts", "Rollout", generation=True, custom=True)


@pytest.fixture
def fake() -> Iterator[FakeCluster]:
    with FakeCluster(custom=[ROLLOUT], history=50) as fake:
        yield fake


@pytest.fixture
def client(fake: FakeCluster, tmp_path: Path) -> Iterator[Client]:
    with Client(fake.write_kubeconfig(tmp_path / "kubeconfig")) as client:
        yield client


def test_a_cron_job_is_stored(client: Client) -> None:
    path = resource("batch/v1", "cronjobs", "default")
    spec = {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": template()}}}
    client.ok("POST", path, {"metadata": {"name": "nightly"}, "spec": spec})
    containers = [{"name": "app", "image": "acme/shop:2"}]
    job = {"spec": {"template": {"spec": {"containers": containers}}}}
    patched = client.ok("PATCH", f"{path}/nightly", {"spec": {"jobTemplate": job}}, STRATEGIC)
    found = patched["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert [item["image"] for item in found] == ["acme/shop:2", "envoy:1"]


def test_an_endpoint_slice_is_stored(client: Client) -> None:
    path = resource("discovery.k8s.io/v1", "endpointslices", "default")
    client.ok("POST", path, {"metadata": {"name": "one"}, "addressType": "IPv4", "endpoints": []})
    assert client.ok("GET", f"{path}/one")["addressType"] == "IPv4"


def test_a_failing_job_reaches_its_limit(client: Client) -> None:
    path = resource("batch/v1", "jobs", "default")
    spec = {"template": template("acme/shop:bad", restartPolicy="Never"), "backoffLimit": 1}
    client.ok("POST", path, {"metadata": {"name": "once"}, "spec": spec})

    def failed() -> Any:
        status = client.ok("GET", f"{path}/once")["status"]
        assert [c["type"] for c in status.get("conditions", ())] == ["Failed"]
        return status

    status = eventually(failed)
    assert status["failed"] == 2
    assert status["conditions"][0]["reason"] == "BackoffLimitExceeded"


def test_a_watch_from_too_old_a_version_is_told_so(client: Client) -> None:
    path = configmaps("default")
    version = client.ok("GET", path)["metadata"]["resourceVersion"]
    for number in range(60):
        client.ok("POST", path, configmap(f"c{number}"))
    for old in ("1", version):
        with client.watch(path, resourceVersion=old) as events:
            event = next(events)
        assert event["type"] == "ERROR"
        assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
        assert event["object"]["message"].startswith(f"too old resource version: {old} (")


def test_a_custom_resource_takes_no_strategic_merge(client: Client) -> None:
    path = resource(ROLLOUT.api_version, "rollouts", "default")
    client.ok("POST", path, {"metadata": {"name": "shop"}, "spec": {"replicas": 1}})
    answer = client.send("PATCH", f"{path}/shop", {"spec": {"replicas": 2}}, STRATEGIC)
    assert (answer.code, answer.body["reason"]) == (415, "UnsupportedMediaType")
    assert answer.body["message"] == (
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    )
    merged = client.ok("PATCH", f"{path}/shop", {"spec": {"replicas": 2}}, MERGE)
    assert merged["metadata"]["generation"] == 2
    applied = {"apiVersion": ROLLOUT.api_version, "kind": "Rollout", "spec": {"paused": True}}
    manager = {"fieldManager": "me"}
    spec = client.ok("PATCH", f"{path}/shop", applied, APPLY, manager)["spec"]
    assert spec == {"replicas": 2, "paused": True}


def test_applying_creates_then_merges(fake: FakeCluster) -> None:
    body = deployment()
    body["metadata"]["namespace"] = "shop"
    made = fake.apply(body)
    again = {"kind": "Deployment", "metadata": {"namespace": "shop", "name": "shop"}}
    changed = fake.apply(again | image_patch("x:2"))
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]
    assert [item["metadata"]["name"] for item in fake.list("Deployment", "shop")] == ["shop"]
    fake.delete("Deployment", "shop", "shop")
    assert fake.list("Deployment") == []


def test_what_is_got_can_be_changed_without_harm(fake: FakeCluster) -> None:
    fake.apply({"kind": "ConfigMap", **configmap("one")})
    fake.get("ConfigMap", "default", "one")["data"]["key"] = "changed"
    assert fake.get("ConfigMap", "default", "one")["data"]["key"] == "value"


def test_a_denial_holds_where_it_was_asked_for(fake: FakeCluster, client: Client) -> None:
    fake.apply({"kind": "ConfigMap", **configmap("one")})
    fake.deny("get", "configmaps", "default")
    fake.deny("create", "*", "other")
    assert client.send("GET", configmaps("default", "one")).code == 403
    assert client.send("GET", configmaps("default")).code == 200
    assert client.send("POST", configmaps("default"), configmap("two")).code == 201
    fake.allow_all()
    assert client.send("GET", configmaps("default", "one")).code == 200


def test_requests_are_recorded(fake: FakeCluster, client: Client) -> None:
    client.send("POST", configmaps("default"), configmap("one"), query={"dryRun": "All"})
    request = fake.requests[-1]
    assert (request.method, request.path) == ("POST", configmaps("default"))
    assert request.body == configmap("one") and request.query == {"dryRun": "All"}


def test_stopping_ends_open_watches(tmp_path: Path) -> None:
    fake = FakeCluster()
    fake.start()
    address = urlsplit(fake.url)
    with Client(fake.write_kubeconfig(tmp_path / "kubeconfig")) as client:
        with client.watch(configmaps("default"), timeoutSeconds=600) as events:
            fake.stop()
            assert list(events) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.hostname, address.port), 1).close()


def test_discovery_names_what_is_served(client: Client) -> None:
    listed = client.ok("GET", "/apis/apps/v1")["resources"]
    assert "deployments/scale" in {item["name"] for item in listed}
    assert "argoproj.io" in {group["name"] for group in client.ok("GET", "/apis")["groups"]}
