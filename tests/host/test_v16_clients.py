"""Rancher's own clients against this service: directly with a token, and behind its proxy."""

from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import cattle
import gdapi
import httpx
import pytest

from tests.host.served import Served, serving
from tests.host.v16_drivers import SERVICES, V16_DRIVERS, v16_cluster
from tests.support import PROJECT, make_service, push, sqlite_url, wait_for, wait_for_end
from webhook_service.host.api.callers.auth import FirstOf, ProxyAuthenticator, TokenAuthenticator
from webhook_service.model.people.tokens import Role
from webhook_service.testing import FakeCluster, Reply

SCALE = {"serviceId": SERVICES["1s7"], "action": "up", "amount": 1, "min": 1, "max": 4}
# The ways to the service: the library, and what it is told.
WAYS = [(gdapi, "token"), (cattle, "token"), (gdapi, "proxy"), (cattle, "proxy")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[FakeCluster]:
    with v16_cluster() as fake:
        yield fake


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, cluster: FakeCluster) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("clients")
    path = str(cluster.write_kubeconfig(folder / "kubeconfig"))
    options = {"kubeconfig": path, "namespaces": {"*": [PROJECT]}}
    service = make_service(sqlite_url(folder), V16_DRIVERS, options=options)
    proxy = ProxyAuthenticator([ip_network("127.0.0.0/8")])
    authenticator = FirstOf(TokenAuthenticator(service), proxy)
    with serving(service, authenticator=authenticator) as running:
        yield running


@pytest.fixture(params=WAYS, ids=lambda way: f"{way[0].__name__}-{way[1]}")
def client(request: pytest.FixtureRequest, served: Served) -> Any:
    library, way = request.param
    project = f"1a{abs(hash(request.node.name)) % 10**9}"
    _, token = served.service.create_token(project, Role.OWNER)
    credentials = {"access_key": "any", "secret_key": token}
    # v1.6 wanted it, and these libraries send it only if they are told to.
    headers = {**gdapi.HEADERS, "Content-Type": "application/json"}
    if way == "proxy":
        credentials = {"access_key": "account", "secret_key": "of Rancher"}
        headers["X-API-Roles"] = "owner"
    url = f"{served.base}/v1-webhooks?projectId={project}"
    made = library.Client(url=url, headers=headers, **credentials)
    made.project = project
    if way == "proxy":
        # These libraries cannot name a project when they create; a token has one of its own.
        made.schema.types["receiver"].links.collection += f"?projectId={project}"
    return made


def create(client: Any, name: str, **fields: Any) -> Any:
    if "driver" not in fields:
        fields = {"driver": "scaleService", "scaleServiceConfig": SCALE, **fields}
    return client.create_receiver(name=name, projectId=client.project, **fields)


def test_receivers_are_made_read_changed_and_deleted(client: Any) -> None:
    made = create(client, "more")
    assert (made.state, made.scaleServiceConfig.amount) == ("active", 1)
    assert [each.id for each in client.list_receiver()] == [made.id]
    if "?" not in client.schema.types["receiver"].links.collection:
        assert client.by_id("receiver", made.id).name == "more"
        with pytest.raises(gdapi.ApiError, match="Webhook not found"):
            client.by_id("receiver", "1go1")
    assert client.update(made, name="most").name == "most"
    client.delete(made)
    assert list(client.list_receiver()) == []


def test_what_the_clients_send_beside_is_ignored(client: Any) -> None:
    create(client, "more", kind="webhookReceiver", state="requested", uuid="1-2")
    asked = {"sort": "name", "order": "asc", "limit": -1, "name_ne": "x", "include": "links"}
    assert [each.name for each in client.list_receiver(**asked)] == ["more"]


def test_a_client_reads_pages_if_it_asks_for_them(client: Any) -> None:
    for number in range(3):
        create(client, f"hook {number}")
    first = client.list_receiver(limit=2)
    assert [each.name for each in first] == ["hook 2", "hook 1"]
    assert [each.name for each in first.next()] == ["hook 0"]


def test_an_error_reaches_the_client_in_words(client: Any) -> None:
    with pytest.raises(gdapi.ApiError, match="Invalid action sideways"):
        create(client, "more", scaleServiceConfig={**SCALE, "action": "sideways"})


def test_the_schemas_of_a_ui_are_found_by_their_names_in_lower_case(
    served: Served, client: Any
) -> None:
    headers = {"X-API-Roles": "owner"}
    for name in ("scaleservice", "SERVICEUPGRADE", "receiver"):
        found = httpx.get(f"{served.base}/v1-webhooks/schemas/{name}", headers=headers).json()
        assert found["id"].lower() == name.lower() and found["resourceFields"]


def test_the_requests_of_the_ui_are_answered(served: Served) -> None:
    # ember-api-store sets a limit of -1 on every list, and takes schemas by names in lower case.
    query = {"limit": "-1", "projectId": PROJECT, "sort": "name"}
    headers = {"X-API-Roles": "owner", "Accept": "application/json"}
    with httpx.Client(base_url=f"{served.base}/v1-webhooks", headers=headers) as ui:
        schemas = ui.get("/schemas", params=query).json()["data"]
        fields = {each["id"].lower(): each["resourceFields"] for each in schemas}
        assert {"scaleservice", "scalehost", "serviceupgrade", "receiver"} <= {*fields}
        formats = fields["serviceupgrade"]["payloadFormat"]["options"]
        defaults = {
            name: field["default"]
            for name, field in fields["serviceupgrade"].items()
            if "default" in field
        }
        others = {f"{name}Config": None for name in V16_DRIVERS if name != "serviceUpgrade"}
        config = {**defaults, "serviceSelector": {"app": "shop"}, "tag": "1", "batchSize": 1}
        body = {"type": "receiver", "name": "of the ui", "driver": "serviceUpgrade", **others}
        made = ui.post("/receivers", params=query, json={**body, "serviceUpgradeConfig": config})
        assert made.status_code == 200, made.text
        listed = ui.get("/receivers", params=query).json()["data"]
        assert made.json()["id"] in [each["id"] for each in listed]
        assert ui.delete(made.json()["links"]["self"]).status_code == 204
    assert formats == ["dockerhub", "alicloud", "azure"]


def test_a_pipeline_gets_the_events_that_its_receiver_was_made_for(
    served: Served, cluster: FakeCluster
) -> None:
    # rancher/pipeline: what its server sends to make the receiver, and what it needs of a call.
    asked: list[Any] = []

    def answer(ask: Any, pod: Any) -> Reply:
        asked.append(ask)
        return Reply(200)

    cluster.answer(PROJECT, "pipeline-server", answer)
    config = {"projectId": PROJECT, "serviceName": "pipeline-server", "port": "60080"}
    sent = {
        **{"ID": "", "Name": "CIEndpoint", "State": "", "Links": None, "URL": "", "Key": ""},
        **{"Driver": "forwardPost", "forwardPostConfig": {**config, "path": "/v1/webhook"}},
    }
    with httpx.Client(base_url=served.base, headers={"X-API-Roles": "owner"}) as client:
        made = client.post(f"/v1-webhooks/receivers?projectId={PROJECT}", json=sent).json()
        event = {"X-GitHub-Event": "push", "X-Hub-Signature": "sha1=ab", "Cookie": "session=1"}
        body = b'{"ref": "refs/heads/main"}'
        told = client.post(f"{made['url']}&pipelineId=1p7", content=body, headers=event).json()
    wait_for_end(served.service, told["executions"][0])
    (ask,) = asked
    assert (ask.path, ask.query, ask.body) == ("/v1/webhook", "pipelineId=1p7", body)
    assert ask.headers["x-github-event"] == "push"
    assert ask.headers["x-hub-signature"] == "sha1=ab"
    assert "cookie" not in ask.headers


def test_a_url_that_a_client_reads_takes_pushes(served: Served, client: Any) -> None:
    upgrade = {"serviceSelector": {"app": "shop"}, "tag": "1.2.3", "namespace": PROJECT}
    config = {**upgrade, "batchSize": 1, "intervalMillis": 1}
    made = client.create_receiver(name="up", driver="serviceUpgrade", serviceUpgradeConfig=config)
    key = httpx.URL(made.url).params["key"]
    delivery = push(served.service, key, "1.2.3", project=client.project)
    (id_,) = delivery.executions
    # Another of these clients may have rolled the same tag out before.
    done = ("succeeded", "unchanged")
    wait_for(lambda: served.service.get_execution(client.project, id_).state in done)
    assert served.service.get_execution(client.project, id_).event.tag == "1.2.3"
