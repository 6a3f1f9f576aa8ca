"""docs/differences-from-v1.6.md, beyond the transcript: each row says what really happens."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.host.served import Served, serving
from tests.host.test_transcript import LOCALHOST, PAGE
from tests.host.v16_drivers import SERVICES, V16_DRIVERS, v16_cluster
from tests.support import PROJECT, make_service, sqlite_url, wait_for_end
from webhook_service.host.api.callers.auth import ProxyAuthenticator

SCALE = {"serviceId": SERVICES["1s7"], "action": "up", "amount": 1, "min": 1, "max": 2}
HOSTS = {"hostSelector": {"foo": "bar"}, "action": "up", "amount": 1, "min": 1, "max": 4}
UPGRADE = {"serviceSelector": {"app": "shop"}, "tag": "1", "batchSize": 1, "intervalMillis": 1}
NUMBERS = count()
FORWARD = {"projectId": PROJECT, "serviceName": "pipeline-server", "port": "60080"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("differences")
    with v16_cluster() as cluster:
        options = {"kubeconfig": str(cluster.write_kubeconfig(folder / "kubeconfig"))}
        service = make_service(sqlite_url(folder), V16_DRIVERS, options=options)
        own = {
            "authenticator": ProxyAuthenticator(LOCALHOST),
            "trusted_proxies": LOCALHOST,
            "max_wait": 30.0,
        }
        with serving(service, **own) as running:
            yield running


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    headers = {"X-API-Roles": "owner"}
    query = {"projectId": PROJECT}
    with httpx.Client(base_url=served.base, headers=headers, params=query, timeout=30) as found:
        yield found


def create(client: httpx.Client, driver: str, config: Any, **more: Any) -> httpx.Response:
    body = {"name": f"hook {next(NUMBERS)}", "driver": driver, f"{driver}Config": config, **more}
    return client.post("/v1-webhooks/receivers", json=body)


def without(config: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name not in names}


@pytest.mark.parametrize(
    ("row", "driver", "config", "status"),
    [
        ("is `{}`", "serviceUpgrade", {**UPGRADE, "serviceSelector": {}}, 400),
        ("is `{}`", "scaleHost", {**HOSTS, "hostSelector": {}}, 400),
        ("is missing", "scaleService", without(SCALE, "min", "max"), 200),
        ("is missing", "serviceUpgrade", without(UPGRADE, "batchSize", "intervalMillis"), 200),
        ("`forwardPostConfig` is `{}`", "forwardPost", {}, 400),
        ("`forwardPostConfig` is `{}`", "forwardPost", {**FORWARD, "serviceName": "none"}, 400),
        ("`deleteOption` with", "scaleHost", {**HOSTS, "deleteOption": "mostRecent"}, 400),
    ],
)
def test_a_body_gets_the_answer_of_its_row(
    client: httpx.Client, row: str, driver: str, config: Any, status: int
) -> None:
    assert row in PAGE
    assert create(client, driver, config).status_code == status


def test_an_unknown_project_is_answered_as_an_unknown_key(client: httpx.Client) -> None:
    key = httpx.URL(create(client, "forwardPost", FORWARD).json()["url"]).params["key"]
    query = {"key": key, "projectId": "1a99"}
    assert client.post("/v1-webhooks/endpoint", params=query).status_code == 403


def test_the_key_counts_in_the_url_alone(client: httpx.Client) -> None:
    key = httpx.URL(create(client, "forwardPost", FORWARD).json()["url"]).params["key"]
    assert client.post("/v1-webhooks/endpoint", data={"key": key}).status_code == 400


def upgrade(client: httpx.Client) -> str:
    """The URL of a receiver of pushes."""
    return str(create(client, "serviceUpgrade", {**UPGRADE, "tag": "latest"}).json()["url"])


def test_a_repository_with_a_tag_in_it_is_refused(client: httpx.Client) -> None:
    push = {"push_data": {"tag": "latest"}, "repository": {"repo_name": "acme/shop:dev"}}
    assert httpx.post(upgrade(client), json=push).status_code == 400


def test_another_repository_than_the_workload_runs_is_not_deployed(
    client: httpx.Client, served: Served
) -> None:
    push = {"push_data": {"tag": "latest"}, "repository": {"repo_name": "evil/shop"}}
    told = httpx.post(upgrade(client), json=push)
    assert told.json()["state"] == "accepted"
    execution = wait_for_end(served.service, told.json()["executions"][0])
    assert (execution.state, execution.reason) == ("failed", "conflict")


def test_browsers_get_json(client: httpx.Client) -> None:
    browser = {"Accept": "text/html,*/*;q=0.8", "User-Agent": "Mozilla/5.0"}
    found = client.get("/v1-webhooks/receivers", headers=browser)
    assert found.headers["content-type"] == "application/json"


def test_links_follow_the_proxy_and_not_v1_6s_own_header(client: httpx.Client) -> None:
    said = {"X-API-request-url": "https://old.example.com/v1-webhooks", "X-Forwarded-Port": "8443"}
    proxied = {**said, "X-Forwarded-Host": "new.example.com", "X-Forwarded-Proto": "https"}
    found = client.get("/v1-webhooks/receivers", headers=proxied).json()
    assert found["links"]["self"].startswith("https://new.example.com:8443/v1-webhooks/")


@pytest.mark.parametrize("roles", ["owner,readonly", "restricted,owner"])
def test_one_restricted_role_of_several_forbids_changes(client: httpx.Client, roles: str) -> None:
    client.headers["X-API-Roles"] = roles
    assert create(client, "forwardPost", FORWARD).status_code == 405
    assert client.get("/v1-webhooks/receivers").status_code == 200


@pytest.mark.parametrize("headers", [{}, {"X-API-Roles": ""}])
def test_without_a_role_nobody_is_known(served: Served, headers: dict[str, str]) -> None:
    url = f"{served.base}/v1-webhooks/receivers?projectId={PROJECT}"
    assert httpx.get(url, headers=headers).status_code == 401


def test_who_waits_for_a_driver_that_cannot_is_answered_424(client: httpx.Client) -> None:
    full = {**SCALE, "serviceId": f"{PROJECT}/web"}
    made = create(client, "scaleService", full).json()
    told = httpx.post(made["url"], headers={"Prefer": "wait=20"}, timeout=30)
    assert told.status_code == 424


def test_lists_are_newest_first_and_filtered(client: httpx.Client) -> None:
    made = [create(client, "forwardPost", FORWARD).json() for _ in range(2)]
    found = client.get("/v1-webhooks/receivers").json()["data"]
    ids = [item["id"] for item in found]
    assert ids.index(made[1]["id"]) < ids.index(made[0]["id"])
    query = {"name": made[0]["name"], "projectId": PROJECT}
    named = client.get("/v1-webhooks/receivers", params=query).json()["data"]
    assert [item["id"] for item in named] == [made[0]["id"]]
