"""Each server is a real one and does what the other tests take for granted."""

import json
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import StartRegistry
from tests.servers.api import Api, ApiError
from tests.servers.capture import wait_for_silence
from tests.servers.control_plane import ControlPlane
from tests.servers.images import build, push
from tests.servers.listener import Listener
from tests.servers.postgres import Postgres
from tests.servers.process import wait_until

CAPTURED = Path(__file__).parent.parent / "formats" / "captured" / "distribution-2.8-push.json"
LABELS = {"app": "shop"}


def workload(image: str = "acme/shop:1.0.0", **spec: Any) -> dict[str, Any]:
    template = {
        "metadata": {"labels": LABELS},
        "spec": {"containers": [{"name": "shop", "image": image}]},
    }
    return {
        "metadata": {"name": "shop"},
        "spec": {"selector": {"matchLabels": LABELS}, "template": template} | spec,
    }


def apps(namespace: str, kind: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/{kind}"


def deploy(api: Api, namespace: str, **spec: Any) -> str:
    api.post(apps(namespace, "deployments"), workload(**spec))
    return f"{apps(namespace, 'deployments')}/shop"


def reaches(api: Api, path: str, field: str, value: int, timeout: float = 30) -> bool:
    """Whether the status gets there; a status from before the last change does not count."""

    def there() -> bool:
        found = api.get(path)
        status, generation = found["status"], found["metadata"].get("generation")
        seen = status.get("observedGeneration", generation) == generation
        return bool(seen and status.get(field) == value)

    return wait_until(there, timeout)


def runs_only(api: Api, namespace: str, image: str, count: int, timeout: float = 30) -> bool:
    """Whether in the end all pods are ready, are `count`, and run `image`."""

    def there() -> bool:
        found = [status for pod in pods(api, namespace) for status in containers_of(pod)]
        return [(s["image"], s["ready"]) for s in found] == [(image, True)] * count

    return wait_until(there, timeout)


def set_image(api: Api, path: str, image: str) -> None:
    containers = [{"name": "shop", "image": image}]
    api.patch(path, {"spec": {"template": {"spec": {"containers": containers}}}})


def pods(api: Api, namespace: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    return items


def containers_of(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return pod["status"].get("containerStatuses") or []


def test_deployment_becomes_available_and_rolls(
    control_plane: ControlPlane, namespace: str
) -> None:
    api = control_plane.api
    path = deploy(api, namespace, replicas=3)
    assert reaches(api, path, "availableReplicas", 3)
    set_image(api, path, "acme/shop:1.1.0")
    assert reaches(api, path, "updatedReplicas", 3)
    assert runs_only(api, namespace, "acme/shop:1.1.0", 3)


def test_image_with_a_bad_tag_never_becomes_ready(
    control_plane: ControlPlane, namespace: str
) -> None:
    api = control_plane.api
    path = deploy(api, namespace, replicas=2)
    assert reaches(api, path, "availableReplicas", 2)
    set_image(api, path, "acme/shop:1.1.0-bad")

    def waiting() -> list[str]:
        states = [s["state"] for pod in pods(api, namespace) for s in containers_of(pod)]
        return [state["waiting"]["reason"] for state in states if "waiting" in state]

    assert wait_until(waiting, 10)
    assert set(waiting()) == {"ImagePullBackOff"}
    assert api.get(path)["status"]["availableReplicas"] == 2  # the old ones stay


@pytest.mark.slow
def test_a_hundred_pods_are_ready_soon(control_plane: ControlPlane, namespace: str) -> None:
    path = deploy(control_plane.api, namespace, replicas=100)
    assert reaches(control_plane.api, path, "availableReplicas", 100, timeout=20)


def test_delay_holds_pods_back(control_plane: ControlPlane, namespace: str) -> None:
    api = control_plane.api
    control_plane.kubelet.delay = 1.0
    try:
        start = time.monotonic()
        path = deploy(api, namespace, replicas=3)
        assert reaches(api, path, "availableReplicas", 3)
        assert 1.0 <= time.monotonic() - start
    finally:
        control_plane.kubelet.delay = 0.0


def test_stateful_set_becomes_ready_and_rolls(control_plane: ControlPlane, namespace: str) -> None:
    api = control_plane.api
    api.post(apps(namespace, "statefulsets"), workload(replicas=3, serviceName="shop"))
    path = f"{apps(namespace, 'statefulsets')}/shop"
    assert reaches(api, path, "readyReplicas", 3)
    set_image(api, path, "acme/shop:1.1.0")
    assert reaches(api, path, "updatedReplicas", 3, timeout=20)
    assert runs_only(api, namespace, "acme/shop:1.1.0", 3)


def test_daemon_set_has_a_pod_on_each_node(control_plane: ControlPlane, namespace: str) -> None:
    api = control_plane.api
    api.post(apps(namespace, "daemonsets"), workload())
    assert reaches(api, f"{apps(namespace, 'daemonsets')}/shop", "numberReady", 3)
    nodes = sorted(pod["spec"]["nodeName"] for pod in pods(api, namespace))
    assert nodes == control_plane.kubelet.nodes


def test_job_completes(control_plane: ControlPlane, namespace: str) -> None:
    containers = [{"name": "migrate", "image": "acme/shop:1.0.0"}]
    job = {
        "metadata": {"name": "migrate"},
        "spec": {"template": {"spec": {"containers": containers, "restartPolicy": "Never"}}},
    }
    jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    control_plane.api.post(jobs, job)
    assert reaches(control_plane.api, f"{jobs}/migrate", "succeeded", 1)


def test_service_account_may_do_what_its_role_says_and_nothing_else(
    control_plane: ControlPlane, namespace: str
) -> None:
    api = control_plane.api
    path = deploy(api, namespace, replicas=1)
    grant(api, namespace, "deployer", ["get", "patch"])
    limited = control_plane.client(control_plane.token_for(namespace, "deployer"))
    try:
        assert wait_until(lambda: allowed(limited, path), 5)  # the authorizer follows by watches
        set_image(limited, path, "acme/shop:1.1.0")
        with pytest.raises(ApiError) as denied:
            limited.get(f"/api/v1/namespaces/{namespace}/secrets")
        assert denied.value.status == 403
    finally:
        limited.close()


def grant(api: Api, namespace: str, name: str, verbs: list[str]) -> None:
    metadata = {"metadata": {"name": name}}
    rules = [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": verbs}]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", metadata)
    api.post(f"{rbac}/roles", metadata | {"rules": rules})
    api.post(f"{rbac}/rolebindings", metadata | {"roleRef": role, "subjects": [subject]})


def allowed(api: Api, path: str) -> bool:
    try:
        api.get(path)
    except ApiError:
        return False
    return True


@pytest.mark.slow
def test_everything_goes_on_after_the_api_server_was_away(
    control_plane: ControlPlane, namespace: str
) -> None:
    api = control_plane.api
    path = deploy(api, namespace, replicas=2)
    assert reaches(api, path, "availableReplicas", 2)
    control_plane.stop_api()
    assert not api.ready()
    control_plane.start_api()
    set_image(api, path, "acme/shop:1.1.0")
    assert reaches(api, path, "updatedReplicas", 2, timeout=30)
    assert runs_only(api, namespace, "acme/shop:1.1.0", 2)


@pytest.mark.e2e
def test_registry_tells_of_a_push_as_captured(
    start_registry: StartRegistry, listener: Listener, tmp_path: Path
) -> None:
    registry = start_registry(listener.url, {"Authorization": "Bearer secret"})
    image = build(tmp_path / "image", "captured")
    push(image, f"{registry.address}/acme/shop:1.2.3")
    wait_for_silence(listener)
    captured = [(call["headers"], call["body"]) for call in json.loads(CAPTURED.read_text())]
    sent = [(call.headers, json.loads(call.body)) for call in listener.calls]
    assert {headers["Authorization"] for headers, _ in sent} == {"Bearer secret"}
    assert {headers["Content-Type"] for headers, _ in sent} == {
        "application/vnd.docker.distribution.events.v1+json"
    }
    assert sorted(map(essence, sent)) == sorted(map(essence, captured))
    assert sent[-1][1]["events"][0]["target"]["digest"] == image.digest


def essence(call: tuple[dict[str, str], dict[str, Any]]) -> list[str]:
    """What is the same in each push of this image."""
    headers, body = call
    (event,) = body["events"]
    target = {key: value for key, value in event["target"].items() if key != "url"}
    return [headers["Content-Type"], event["action"], json.dumps(target), *sorted(event)]


@pytest.mark.e2e
def test_registry_calls_again_until_it_is_answered_with_success(
    start_registry: StartRegistry, listener: Listener, tmp_path: Path
) -> None:
    registry = start_registry(listener.url)
    listener.status = 503
    push(build(tmp_path / "image"), f"{registry.address}/acme/shop:1.2.3", "v2s2")
    refused = [call.body for call in listener.wait_for(1)]
    listener.status = 200
    calls = listener.wait_for(len(refused) + 3, timeout=20)
    tags = [json.loads(call.body)["events"][0]["target"].get("tag") for call in calls]
    assert refused[0] in [call.body for call in calls[1:]]
    assert tags[-1] == "1.2.3"


def test_postgres_keeps_committed_rows_over_a_crash() -> None:
    with Postgres() as postgres:
        url = postgres.new_database().replace("+psycopg", "")
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS answer")
        postgres.stop("immediate")
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url)
        postgres.start()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (1,)
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
