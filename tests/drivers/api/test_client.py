import json
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import certifi
import pytest
from kubernetes.config import incluster_config

from tests.drivers.faulty import Behaviour, Handler, Request, faulty, kubeconfig, unused_url
from webhook_drivers.kubernetes.api import clusters as clusters_module
from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.clusters import Clusters
from webhook_drivers.kubernetes.api.faults import Conflict
from webhook_drivers.kubernetes.api.resources import Address
from webhook_drivers.kubernetes.api.transport import MAX_REPLY
from webhook_drivers.kubernetes.images.workloads import WORKLOADS
from webhook_service import DriverError, Retry, WebhookServiceError

SHOP = Address(WORKLOADS["Deployment"].resource, "shop", "shop")

# A plug-in whose credentials have expired as soon as they are made.
PLUGIN = """#!{python}
import json
with open({count!r}, "r+") as file:
    number = len(file.read())
    file.write("x")
status = {{"token": f"token-{{number}}", "expirationTimestamp": "2020-01-01T00:00:00Z"}}
version = "client.authentication.k8s.io/v1"
print(json.dumps({{"apiVersion": version, "kind": "ExecCredential", "status": status}}))
"""


@contextmanager
def connected(
    folder: Path, behaviour: Behaviour, timeout: float = 5.0
) -> Iterator[tuple[Cluster, list[Request]]]:
    with faulty(behaviour) as (url, requests):
        path = kubeconfig(folder, main=url)
        clusters = Clusters({"kubeconfig": str(path)}, connect_timeout=1.0, timeout=timeout)
        try:
            yield clusters.get(), requests
        finally:
            clusters.close()


def failing(folder: Path, behaviour: Behaviour, timeout: float = 5.0) -> WebhookServiceError:
    with connected(folder, behaviour, timeout) as (cluster, requests):
        with pytest.raises(WebhookServiceError) as caught:
            cluster.get(SHOP)
        assert len(requests) == 1
        return caught.value


def refuse(status: int, message: str = "it says why", **headers: str) -> Behaviour:
    return lambda handler: handler.refuse(status, message, **headers)


def hang(handler: Handler) -> None:
    handler.released.wait(10)
    handler.close_connection = True


def drip(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    while not handler.released.wait(0.1):
        handler.wfile.write(b" ")


def cut_off(handler: Handler) -> None:
    handler.reply(200, b'{"kind": ', Content_Length="1000")
    handler.close_connection = True


def cut_chunks(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b'5\r\n{"a":\r\n')
    handler.close_connection = True


def huge(handler: Handler) -> None:
    handler.reply(200, b" " * (MAX_REPLY + 2))


def hang_up(handler: Handler) -> None:
    handler.close_connection = True


def garbage(handler: Handler) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH\r\n\r\n")
    handler.close_connection = True


FAULTS: dict[str, Behaviour] = {
    "hangs": hang,
    "drips": drip,
    "cut": cut_off,
    "cut chunks": cut_chunks,
    "huge": huge,
    "huge error": lambda handler: handler.reply(403, b" " * (MAX_REPLY + 2)),
    "hangs up": hang_up,
    "garbage": garbage,
    "html": lambda handler: handler.reply(200, b"<html>"),
    "list": lambda handler: handler.reply(200, b"[]"),
    "deep": lambda handler: handler.reply(200, b"[" * 100_000),
    "binary": lambda handler: handler.reply(200, b"\xff\xfe\x00"),
    **{str(status): refuse(status) for status in (401, 408, 410, 429, 500, 502, 503, 504)},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_may_pass_is_retried_by_the_engine(tmp_path: Path, fault: str) -> None:
    began = time.monotonic()
    error = failing(tmp_path, FAULTS[fault], timeout=0.5)
    assert isinstance(error, Retry)
    assert time.monotonic() - began < 3


def test_a_refused_connection_is_retried(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, main=unused_url())
    clusters = Clusters({"kubeconfig": str(path)})
    with pytest.raises(Retry, match="cluster default does not answer") as caught:
        clusters.get().get(SHOP)
    assert caught.value.reason == "unreachable"
    clusters.close()


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [
        ("7", 7, 7),
        ("999999", 3600, 3600),
        ("in ten minutes", 500, 600),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0, 0),
        ("Thu, 01 Jan 1970 00:00:00 -0000", 0, 0),
        ("soon", 0, 0),
        ("-1", 0, 0),
        ("", 0, 0),
    ],
)
def test_retry_after_is_honoured(tmp_path: Path, said: str, least: float, most: float) -> None:
    if said == "in ten minutes":
        said = format_datetime(datetime.now(UTC) + timedelta(seconds=600), usegmt=True)
    error = failing(tmp_path, refuse(429, Retry_After=said))
    assert isinstance(error, Retry)
    assert least <= error.after <= most


@pytest.mark.parametrize(
    ("status", "message", "says"),
    [
        (
            404,
            'deployments.apps "shop" not found',
            'deployments.apps "shop" in namespace shop was not found: create it',
        ),
        (
            404,
            "the server could not find the requested resource",
            "does not serve deployments.apps in version v1",
        ),
        (
            403,
            'User "x" cannot get resource "deployments"',
            "Not allowed to get .*bind the Role that `python -m webhook_drivers.",
        ),
        (
            403,
            "exceeded quota: pods",
            "A quota of namespace shop does not let us get Deployment .*: raise the quota",
        ),
        (
            403,
            'deployments.apps "shop-green" is forbidden: unable to create new content in namespace '
            "shop because it is being terminated",
            "The namespace shop is being deleted, .* create it with its workload, and push again",
        ),
        (422, "spec.template: Invalid value", r"\(422\).*Invalid value"),
        (302, "elsewhere", r"\(302\)"),
    ],
)
def test_final_refusals_say_what_to_do(
    tmp_path: Path, status: int, message: str, says: str
) -> None:
    error = failing(tmp_path, refuse(status, message, Location="http://127.0.0.1:9/"))
    assert type(error) is DriverError
    assert re.search(says, error.message), error.message


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (403, 'admission webhook "validation.gatekeeper.sh" denied the request: no latest'),
        (400, 'admission webhook "validate.kyverno.svc-fail" denied the request: policy x'),
        (422, "ValidatingAdmissionPolicy 'own' with binding 'own' denied request: images only"),
        (403, 'deployments.apps "shop" is forbidden: image policy webhook backend denied'),
        (403, 'admission webhook "x" denied the request: images cannot be of docker.io'),
    ],
)
def test_a_policy_is_told_apart_from_a_right_that_is_missing(
    tmp_path: Path, status: int, message: str
) -> None:
    error = failing(tmp_path, refuse(status, message))
    assert error.reason == "policy_denied"
    assert error.message == f"A policy of the cluster does not let us get {SHOP}: {message}"


def test_a_quota_is_told_apart(tmp_path: Path) -> None:
    message = 'pods "shop-1" is forbidden: exceeded quota: small, requested: pods=1'
    assert failing(tmp_path, refuse(403, message)).reason == "quota_exceeded"


def test_a_conflict_is_told_apart(tmp_path: Path) -> None:
    assert isinstance(failing(tmp_path, refuse(409)), Conflict)


def test_upstream_text_is_cut(tmp_path: Path) -> None:
    assert len(failing(tmp_path, refuse(422, "x\n" * 5000)).message) < 400


def test_requests_carry_our_name_and_the_credentials(tmp_path: Path) -> None:
    with connected(tmp_path, lambda handler: handler.reply(200, b"{}")) as (cluster, requests):
        cluster.patch(SHOP, {"spec": {}}, dry_run=True)
        [request] = requests
    assert request.path == (
        "/apis/apps/v1/namespaces/shop/deployments/shop?fieldManager=webhook-service&dryRun=All"
    )
    assert request.headers["User-Agent"] == "webhook-service"
    assert request.headers["Authorization"] == "Bearer token-of-main"
    assert request.headers["Content-Type"] == "application/strategic-merge-patch+json"
    assert json.loads(request.content) == {"spec": {}}


def test_names_cannot_leave_their_place_in_the_path(tmp_path: Path) -> None:
    evil = Address(SHOP.resource, "shop", "../secrets?x=1")
    with connected(tmp_path, lambda handler: handler.reply(200, b"{}")) as (cluster, requests):
        cluster.get(evil)
    assert requests[0].path.endswith("/deployments/..%2Fsecrets%3Fx%3D1")


@pytest.mark.parametrize(
    ("status", "body", "allowed"),
    [(201, {"allowed": True}, True), (201, {"allowed": False}, False), (403, {}, True)],
)
def test_access_reviews_are_asked(
    tmp_path: Path, status: int, body: dict[str, Any], allowed: bool
) -> None:
    answer = json.dumps({"status": body}).encode()
    with connected(tmp_path, lambda handler: handler.reply(status, answer)) as (cluster, requests):
        assert cluster.may("patch", SHOP) is allowed
    asked = json.loads(requests[0].content)["spec"]["resourceAttributes"]
    assert asked == {
        "verb": "patch",
        "group": "apps",
        "resource": "deployments",
        "namespace": "shop",
        "name": "shop",
    }


def test_a_connection_that_the_server_closed_is_replaced(tmp_path: Path) -> None:
    def once(handler: Handler) -> None:
        handler.reply(200, b"{}")
        handler.close_connection = True

    with connected(tmp_path, once) as (cluster, requests):
        for _ in range(3):
            cluster.get(SHOP)
            time.sleep(0.05)
    assert len(requests) == 3


def test_contexts_are_clusters_and_are_kept(tmp_path: Path) -> None:
    with faulty(lambda handler: handler.reply(200, b"{}")) as (url, requests):
        path = kubeconfig(tmp_path, main=url, other=url)
        clusters = Clusters({"kubeconfig": str(path), "kube_context": "other"})
        for name in (None, "main", "other"):
            clusters.get(name).get(SHOP)
        assert clusters.get().transport is clusters.get("other").transport
        clusters.close()
    tokens = [request.headers["Authorization"] for request in requests]
    assert tokens == ["Bearer token-of-other", "Bearer token-of-main", "Bearer token-of-other"]


def test_threads_share_one_cluster(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, main=unused_url())
    clusters, barrier, found = Clusters({"kubeconfig": str(path)}), Barrier(8), []

    def use() -> None:
        barrier.wait()
        found.append(clusters.get("main").transport)

    threads = [Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    clusters.close()


def test_in_a_pod_its_own_cluster_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token, authority = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text("of-the-pod")
    authority.write_bytes(Path(certifi.where()).read_bytes())
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(authority))
    monkeypatch.setattr(clusters_module, "TOKEN_FILE", str(token))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "9")
    clusters = Clusters({}, connect_timeout=1)
    with pytest.raises(Retry, match="Connection refused"):
        clusters.get().get(SHOP)
    (transport,) = clusters._transports.values()
    assert transport._api.configuration.host == "https://127.0.0.1:9"
    for renewed in (token, authority):
        before = clusters.get().transport
        renewed.write_bytes(renewed.read_bytes() + b"\n")
        assert clusters.get().transport is not before
    clusters.close()


def test_credentials_of_a_plug_in_are_renewed(tmp_path: Path) -> None:
    count = tmp_path / "count"
    count.write_text("")
    plugin = tmp_path / "plugin"
    plugin.write_text(PLUGIN.format(python=sys.executable, count=str(count)))
    plugin.chmod(0o700)
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin)}
    with faulty(lambda handler: handler.reply(200, b"{}")) as (url, requests):
        path = kubeconfig(tmp_path, main=url)
        config = json.loads(path.read_text())
        config["users"][0]["user"] = {"exec": run | {"interactiveMode": "Never"}}
        path.write_text(json.dumps(config))
        clusters = Clusters({"kubeconfig": str(path)})
        clusters.get().get(SHOP)
        clusters.get().get(SHOP)
        clusters.close()
    first, second = (request.headers["Authorization"] for request in requests)
    assert first.startswith("Bearer token-") and second > first


def test_after_a_401_the_kubeconfig_is_read_again(tmp_path: Path) -> None:
    def check(handler: Handler) -> None:
        if handler.headers["Authorization"] == "Bearer token-of-main":
            handler.refuse(401, "Unauthorized")
        else:
            handler.reply(200, b"{}")

    with faulty(check) as (url, requests):
        path = kubeconfig(tmp_path, main=url)
        clusters = Clusters({"kubeconfig": str(path)})
        with pytest.raises(Retry):
            clusters.get().get(SHOP)
        path.write_text(path.read_text().replace("token-of-main", "rotated"))
        assert clusters.get().get(SHOP) == {}
        assert clusters.get().transport is clusters.get().transport
        clusters.close()


def test_an_unknown_context_is_named(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, main=unused_url())
    with pytest.raises(DriverError, match="No context 'moon' can be used") as caught:
        Clusters({"kubeconfig": str(path)}).get("moon")
    assert caught.value.reason == "cluster_unknown"


@pytest.mark.parametrize("content", [None, "", "a: [secret-token", "[]", "kind: Config"])
def test_an_unusable_kubeconfig_is_a_clear_failure(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DriverError, match="No cluster can be used from") as caught:
        Clusters({"kubeconfig": str(path)}).get()
    assert "secret-token" not in caught.value.message


def test_a_missing_client_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes.client", None)
    with pytest.raises(DriverError, match=r"pip install 'webhook-service\[kubernetes\]'"):
        Clusters({}).get()


def test_a_credential_that_cannot_be_sent_is_in_no_message(tmp_path: Path) -> None:
    with faulty(lambda _: None) as (url, _):
        path = kubeconfig(tmp_path, main=url)
        path.write_text(path.read_text().replace("token-of-main", "hunter2-\\u2603"))
        clusters = Clusters({"kubeconfig": str(path)})
        with pytest.raises(Retry, match=r"does not answer \(UnicodeEncodeError\)") as caught:
            clusters.get().get(SHOP)
        clusters.close()
    assert "hunter2" not in str(caught.value)
