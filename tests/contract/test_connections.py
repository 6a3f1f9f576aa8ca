"""The proxy to Services, and the logs of pods: what the API server itself says about them."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from tests.contract.client import Client, eventually
from tests.contract.conftest import Cluster
from tests.contract.listening import listening, own_address
from tests.contract.manifests import deployment, deployments, pods, resource
from webhook_service.testing import Ask, Reply

SERVED = "/shop/health?deep=1"


def services(namespace: str, name: str = "") -> str:
    return resource("v1", "services", namespace, name)


def service(**spec: Any) -> dict[str, Any]:
    base = {"selector": {"app": "shop"}, "ports": [{"port": 80}]}
    return {"metadata": {"name": "shop"}, "spec": base | spec}


def proxied(client: Client, namespace: str, name: str, path: str = "/") -> Any:
    return client.send("GET", f"{services(namespace, name)}/proxy{path}")


def wait_for_endpoints(client: Client, namespace: str, count: int = 1) -> None:
    path = resource("v1", "endpoints", namespace, "shop")

    def found() -> bool:
        answer = client.send("GET", path)
        subsets = (answer.body.get("subsets") or []) if answer.code == 200 else []
        return sum(len(s.get("addresses", ())) for s in subsets) == count

    eventually(found)


def test_a_service_without_pods_is_not_available(client: Client, namespace: str) -> None:
    client.ok("POST", services(namespace), service())
    path = resource("v1", "endpoints", namespace, "shop")
    eventually(lambda: client.send("GET", path).code == 200)
    answer = proxied(client, namespace, "shop")
    assert (answer.code, answer.body["reason"]) == (503, "ServiceUnavailable")
    assert answer.body["message"] == 'no endpoints available for service "shop"'


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("other", 404, 'services "other" not found'),
        ("other:80", 404, 'services "other" not found'),
        ("shop:81", 503, 'no service port 81 found for service "shop"'),
        ("shop:http", 503, 'no endpoints available for service "shop:http"'),
        ("gopher:shop:80", 400, 'invalid service request "gopher:shop:80"'),
    ],
)
def test_what_is_not_there_cannot_be_asked(
    client: Client, namespace: str, name: str, code: int, message: str
) -> None:
    client.ok("POST", services(namespace), service())
    client.ok("POST", deployments(namespace), deployment(replicas=1))
    wait_for_endpoints(client, namespace)
    answer = proxied(client, namespace, name)
    assert (answer.code, answer.body["message"]) == (code, message)


class Health(BaseHTTPRequestHandler):
    """A pod's answer, and what it was asked."""

    def do_GET(self) -> None:
        body = f"{self.path} {'Authorization' in self.headers}".encode()
        self.send_response(418)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test reads answers."""


def answer(ask: Ask, pod: dict[str, Any]) -> Reply:
    path = f"{ask.path}?{ask.query}" if ask.query else ask.path
    return Reply(418, f"{path} {'authorization' in ask.headers}".encode())


@pytest.fixture
def port(cluster: Cluster, namespace: str) -> Iterator[int]:
    """Where the pods listen."""
    with listening(cluster, namespace, Health, answer) as port:
        yield port


@pytest.mark.parametrize("name", ["shop", "shop:80", "http:shop:80"])
def test_a_pod_answers_through_the_service(
    client: Client, namespace: str, port: int, name: str
) -> None:
    body = deployment(replicas=1)
    annotations = {"tests/pod-ip": own_address()}
    body["spec"]["template"]["metadata"] |= {"annotations": annotations}
    client.ok("POST", deployments(namespace), body)
    client.ok("POST", services(namespace), service(ports=[{"port": 80, "targetPort": port}]))
    wait_for_endpoints(client, namespace)
    found = proxied(client, namespace, name, SERVED)
    assert found.code == 418, found.body
    assert found.body == f"{SERVED} False"


def test_a_pod_that_does_not_listen_is_an_error(client: Client, namespace: str) -> None:
    body = deployment(replicas=1)
    annotations = {"tests/pod-ip": own_address()}
    body["spec"]["template"]["metadata"] |= {"annotations": annotations}
    client.ok("POST", deployments(namespace), body)
    client.ok("POST", services(namespace), service(ports=[{"port": 80, "targetPort": 9}]))
    wait_for_endpoints(client, namespace)
    found = proxied(client, namespace, "shop")
    assert found.code == 500
    assert "error trying to reach service: dial tcp" in str(found.body)


def test_a_log_needs_the_name_of_a_container(client: Client, namespace: str) -> None:
    client.ok("POST", deployments(namespace), deployment(replicas=1))
    wait = client.ok
    (pod,) = eventually(lambda: wait("GET", pods(namespace))["items"])
    name = pod["metadata"]["name"]
    path = f"{pods(namespace, name)}/log"
    eventually(lambda: wait("GET", pods(namespace, name))["status"].get("phase") == "Running")
    several = client.send("GET", path)
    assert several.code == 400
    assert several.body["message"] == (
        f"a container name must be specified for pod {name}, choose one of: [app proxy]"
    )
    wrong = client.send("GET", path, query={"container": "db"})
    assert (wrong.code, wrong.body["message"]) == (400, f"container db is not valid for pod {name}")
    assert client.send("GET", f"{pods(namespace, 'none')}/log").code == 404
