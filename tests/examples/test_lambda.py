"""examples/lambda: events as AWS documents them are stored, and a host elsewhere runs them.

The events are those of the pages "Payload format version" (API Gateway, 1.0 and 2.0), "Lambda
functions as targets" (Application Load Balancers) and "Invoking function URLs" of AWS's
documentation, with a push as their body.
"""

import base64
import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.test_docs import deployment
from tests.servers.postgres import Postgres
from tests.support import PROJECT, SECRET, wait_for_end
from webhook_service import Settings, WebhookService
from webhook_service.model.pages import PageRequest
from webhook_service.store.database.database import Database
from webhook_service.store.migrate import upgrade
from webhook_service.testing import FakeCluster
from webhook_service.testing.samples import dockerhub_push
from webhook_service.testing.signing import sign_github

EXAMPLE = Path(__file__).parents[2] / "examples/lambda/handler.py"
EVENTS = Path(__file__).parent / "events"
KINDS = sorted(path.stem for path in EVENTS.glob("*.json"))
SENDERS_SECRET = "what the sender knows, too"
CALLER = "52.255.255.12"
Handler = Callable[[dict[str, Any], object], dict[str, Any]]


@pytest.fixture(scope="module")
def database_url(postgres: Postgres) -> str:
    url = postgres.new_database()
    database = Database(url)
    upgrade(database)
    database.close()
    return url


@pytest.fixture(scope="module")
def cluster() -> Iterator[FakeCluster]:
    with FakeCluster() as running:
        running.apply(deployment("acme/shop:1.0.0"))
        yield running


@pytest.fixture(scope="module")
def elsewhere(
    database_url: str, cluster: FakeCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebhookService]:
    """A host that nobody calls: it alone reaches the cluster, and runs what is stored."""
    kubeconfig = cluster.write_kubeconfig(tmp_path_factory.mktemp("elsewhere") / "kubeconfig")
    settings = Settings(database_url=database_url, secret_key=SECRET, kubeconfig=kubeconfig)
    with WebhookService.open(settings) as service:
        yield service


@pytest.fixture(scope="module")
def key(elsewhere: WebhookService) -> str:
    body = {
        "name": "shop",
        "driver": "deploymentUpdate",
        "deploymentUpdateConfig": {"namespace": "shop", "name": "shop"},
        "match": {"repositories": ["acme/shop"]},
        "verify": {"scheme": "github", "secret": SENDERS_SECRET},
    }
    receiver = elsewhere.create_receiver(PROJECT, body)
    return elsewhere.receiver_key(PROJECT, receiver.id)


@pytest.fixture(scope="module")
def handler(database_url: str) -> Iterator[Handler]:
    """The function as Lambda loads it, with the settings in its environment."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("WEBHOOK_SERVICE_DATABASE_URL", database_url)
        environment.setenv("WEBHOOK_SERVICE_SECRET_KEY", SECRET)
        environment.setenv("API_BASE_PATH", "/prod")
        yield load()


def load() -> Handler:
    spec = importlib.util.spec_from_file_location("handler_of_the_example", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    loaded: Handler = module.handler
    return loaded


def event_of(kind: str, key: str, tag: str, *, secret: str = SENDERS_SECRET) -> dict[str, Any]:
    body = dockerhub_push("acme/shop", tag).replace(b"{", b'{ "who": "\xc3\xa9", ', 1)
    (name, signature), *_ = sign_github(secret, body).items()
    text = (EVENTS / f"{kind}.json").read_text().replace("KEY", key).replace("PROJECT", PROJECT)
    event: dict[str, Any] = json.loads(text)
    encoded = event["isBase64Encoded"]
    event["body"] = base64.b64encode(body).decode() if encoded else body.decode()
    for headers in (event.get("headers"), event.get("multiValueHeaders")):
        if headers:
            headers[name] = signature if headers is event.get("headers") else [signature]
    return event


@pytest.mark.parametrize("kind", KINDS)
def test_a_push_in_the_event_is_rolled_out_by_the_host_elsewhere(
    kind: str, handler: Handler, elsewhere: WebhookService, key: str, cluster: FakeCluster
) -> None:
    tag = f"1.1.{KINDS.index(kind)}"
    answer = handler(event_of(kind, key, tag), None)
    said = json.loads(answer["body"])
    assert (answer["statusCode"], said["state"]) == (200, "accepted"), said
    (delivery,) = elsewhere.list_deliveries(PROJECT, PageRequest(1)).items
    assert delivery.client == CALLER
    execution = wait_for_end(elsewhere, delivery.executions[0])
    assert execution.state == "succeeded", execution.message
    pods = cluster.get("Deployment", "shop", "shop")["spec"]["template"]["spec"]
    assert pods["containers"][0]["image"].endswith(f"acme/shop:{tag}")


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_that_proves_nothing_is_refused(kind: str, handler: Handler, key: str) -> None:
    answer = handler(event_of(kind, key, "6.6.6", secret="a guess"), None)
    assert answer["statusCode"] == 401
    answer = handler(event_of(kind, "whk_unknown", "6.6.6"), None)
    assert answer["statusCode"] == 403


def test_an_instance_that_was_frozen_goes_on_after_its_connections_are_gone(
    handler: Handler, elsewhere: WebhookService, key: str, postgres: Postgres, database_url: str
) -> None:
    assert handler(event_of("function_url", key, "2.0.0"), None)["statusCode"] == 200
    name = database_url.rpartition("/")[2]
    postgres.execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    )
    answer = handler(event_of("function_url", key, "2.0.1"), None)
    assert (answer["statusCode"], json.loads(answer["body"])["state"]) == (200, "accepted")


def test_a_function_whose_database_would_go_with_it_does_not_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WEBHOOK_SERVICE_DATABASE_URL", f"sqlite:///{tmp_path / 'lost.db'}")
    monkeypatch.setenv("WEBHOOK_SERVICE_SECRET_KEY", SECRET)
    with pytest.raises(Exception, match="must name a PostgreSQL database"):
        load()
