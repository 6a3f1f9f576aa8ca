"""What Kubernetes 1.20 lacks, or what cannot be brought about on a real server in a test.

CronJob batch/v1 and EndpointSlice discovery.k8s.io/v1 (newer than 1.20); 410 Gone (the real
watch cache forgets only after many writes); a failing Job (the real controller backs off for ten
seconds); a PodDisruptionBudget policy/v1 (1.21); the text of logs (needs kubelets) and Jobs of a
CronJob (its schedule goes by minutes); admission that refuses; the methods and settings of
FakeCluster.
"""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.contract.client import STRATEGIC, Client, eventually
from tests.contract.manifests import (
    configmap,
    configmaps,
    deployment,
    deployments,
    image_patch,
    pods,
    resource,
    template,
)
from webhook_service.testing import FakeCluster, definition


@pytest.fixture
def fake() -> Iterator[FakeCluster]:
    with FakeCluster(history=50) as fake:
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


def test_discovery_names_what_is_served(fake: FakeCluster, client: Client) -> None:
    fake.apply(definition("Rollout"))
    listed = client.ok("GET", "/apis/apps/v1")["resources"]
    assert "deployments/scale" in {item["name"] for item in listed}
    assert "argoproj.io" in {group["name"] for group in client.ok("GET", "/apis")["groups"]}


def test_a_disruption_budget_is_stored(client: Client) -> None:
    path = resource("policy/v1", "poddisruptionbudgets", "default")
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "shop"}}}
    client.ok("POST", path, {"metadata": {"name": "shop"}, "spec": spec})
    assert client.ok("GET", f"{path}/shop")["spec"] == spec


def test_a_refusal_by_admission_has_its_own_words(fake: FakeCluster, client: Client) -> None:
    says = 'admission webhook "policy.acme.example" denied the request: no second Deployment'
    fake.deny("create", "deployments", message=says)
    answer = client.send("POST", deployments("default"), deployment())
    assert (answer.code, answer.body["message"]) == (403, says)
    review = {"spec": {"resourceAttributes": {"verb": "create", "resource": "deployments"}}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert client.ok("POST", path, review)["status"] == {"allowed": True}
    fake.allow_all()
    assert client.send("POST", deployments("default"), deployment()).code == 201


def test_a_triggered_cron_job_runs_and_its_pods_log(fake: FakeCluster, client: Client) -> None:
    fake.log(lambda pod, container: f"{container} of {pod['metadata']['namespace']}\nended\n")
    path = resource("batch/v1", "cronjobs", "default")
    template_of_job = template(restartPolicy="Never")
    spec = {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template_of_job}}}
    client.ok("POST", path, {"metadata": {"name": "nightly"}, "spec": spec})
    job = fake.trigger("default", "nightly")
    assert job["metadata"]["name"].startswith("nightly-")
    assert job["metadata"]["ownerReferences"][0]["kind"] == "CronJob"
    name = job["metadata"]["name"]
    jobs = resource("batch/v1", "jobs", "default", name)
    eventually(lambda: client.ok("GET", jobs).get("status", {}).get("succeeded") == 1)
    query = {"labelSelector": f"job-name={name}"}
    (pod,) = client.ok("GET", pods("default"), query=query)["items"]
    log = f"{pods('default', pod['metadata']['name'])}/log"
    assert client.ok("GET", log, query={"container": "app"}) == "app of default\nended\n"
    assert client.ok("GET", log, query={"container": "app", "tailLines": 1}) == "ended\n"


def test_a_container_that_waits_has_no_log(fake: FakeCluster, client: Client) -> None:
    fake.apply({"kind": "Deployment", **deployment("acme/shop:bad", replicas=1)})
    (pod,) = eventually(lambda: fake.list("Pod", "default"))
    log = f"{pods('default', pod['metadata']['name'])}/log"
    answer = client.send("GET", log, query={"container": "app"})
    assert answer.code == 400 and "is waiting to start" in answer.body["message"]
