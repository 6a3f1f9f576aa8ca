"""The document: what it says is so, for everything that is installed."""

from typing import Any

import httpx
import pytest
from jsonschema_rs import Draft202012Validator
from starlette.routing import Route

from tests.host.served import Served, get
from tests.support import receiver_body
from webhook_service.driver import WebhookDriver
from webhook_service.host.api.document.openapi import REF, openapi
from webhook_service.host.api.document.operation import operation_of
from webhook_service.host.app import create_app
from webhook_service.plugins.discovery import DRIVERS, discover

# Not of the API: signs of life, v1.6's schemas, the document itself, and calls that are no POST.
UNDESCRIBED = {
    "/healthz",
    "/readyz",
    "/vote",
    "/v1-webhooks/schemas",
    "/v1-webhooks/schemas/{id:path}",
    "/v1-webhooks/openapi.json",
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """That of the shipped drivers, without routes."""
    return openapi([], discover(DRIVERS, "driver", WebhookDriver))


def refuses(document: dict[str, Any], name: str, value: Any) -> bool:
    schema = {"$ref": f"{REF}{name}", "components": document["components"]}
    return not Draft202012Validator(schema).is_valid(value)


def test_every_route_of_the_api_is_in_the_document(shared: Served) -> None:
    app = create_app(shared.service, manage_service=False)
    silent = {
        route.path
        for route in app.routes
        if isinstance(route, Route) and operation_of(route.endpoint) is None
    }
    endpoint = "/v1-webhooks/endpoint"  # what is no POST there is refused
    assert {path for path in silent if not path.endswith("/")} - {endpoint} == UNDESCRIBED


def test_every_operation_has_its_own_name_and_a_sentence(
    shared: Served, shared_owner: httpx.Client
) -> None:
    told = get(shared_owner, "/openapi.json")
    operations = [each for path in told["paths"].values() for each in path.values()]
    assert len({each["operationId"] for each in operations}) == len(operations) > 30
    assert all(each["summary"].endswith(".") for each in operations)
    assert told["openapi"] == "3.1.0"
    assert told["servers"] == [{"url": shared.base}]


def test_a_driver_that_is_added_is_in_the_next_document(
    shared: Served, shared_owner: httpx.Client
) -> None:
    name = "added"
    assert "AddedReceiver" not in get(shared_owner, "/openapi.json")["components"]["schemas"]
    shared.service.drivers.add(name, shared.service.drivers.get("stub"))
    assert "AddedReceiver" in get(shared_owner, "/openapi.json")["components"]["schemas"]


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(value: Any) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
            return own.union(*map(references, value.values()))
        return set().union(*map(references, value)) if isinstance(value, list) else set()

    known = {f"{REF}{name}" for name in document["components"]["schemas"]}
    assert references(document) - known == set()


@pytest.mark.parametrize(
    ("config", "fits"),
    [
        ({"namespace": "shop", "name": "shop"}, True),
        ({"namespace": "shop", "selector": {"app": "shop"}}, True),
        ({"namespace": "shop", "name": "shop", "selector": None}, True),
        ({"namespace": "shop"}, False),
        ({"namespace": "shop", "name": None}, False),
        ({"namespace": "shop", "name": "shop", "selector": {"app": "shop"}}, False),
        ({"namespace": "shop", "name": "shop", "apiVersion": "example.com/v1"}, False),
        ({"namespace": "shop", "name": "shop", "timeoutSeconds": 0}, False),
        ({"namespace": "shop", "name": "shop", "timeout": 5}, False),
    ],
)
def test_the_schema_of_a_config_says_what_the_driver_takes(
    document: dict[str, Any], config: Any, fits: bool
) -> None:
    body = {"name": "shop", "driver": "deploymentUpdate", "deploymentUpdateConfig": config}
    assert refuses(document, "ReceiverCreate", body) is not fits


def test_one_of_two_sources_of_a_job_is_in_the_schema(document: dict[str, Any]) -> None:
    def body(**config: Any) -> dict[str, Any]:
        return {"name": "j", "driver": "jobRun", "jobRunConfig": {"namespace": "shop", **config}}

    assert not refuses(document, "ReceiverCreate", body(cronJob="migrate"))
    assert refuses(document, "ReceiverCreate", body())
    assert refuses(document, "ReceiverCreate", body(cronJob="migrate", template="migrate"))


def test_a_body_with_a_newer_part_needs_to_say_how_calls_are_verified(
    document: dict[str, Any],
) -> None:
    plain = {
        "name": "shop",
        "driver": "deploymentUpdate",
        "deploymentUpdateConfig": {"namespace": "shop", "name": "shop"},
    }
    newer = {**plain, "match": {"repositories": ["acme/shop"]}}
    assert not refuses(document, "ReceiverCreate", plain)
    assert refuses(document, "ReceiverCreate", newer)
    assert not refuses(document, "ReceiverCreate", {**newer, "verify": {"scheme": "none"}})


def test_titles_read_and_v1_6_s_fields_are_deprecated(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    fields = schemas["DeploymentUpdateConfig"]["properties"]
    assert fields["timeoutSeconds"]["title"] == "Timeout seconds"
    assert fields["rollbackOnFailure"]["title"] == "Rollback on failure"
    old = {name for name, field in fields.items() if field.get("deprecated")}
    assert old == {"tag", "payloadFormat", "addressType"}
    upgrade = schemas["ServiceUpgradeConfig"]["properties"]
    assert {name for name, field in upgrade.items() if field.get("deprecated")} == {
        "payloadFormat",
        "addressType",
    }


def test_no_document_without_a_token(shared_stranger: httpx.Client) -> None:
    assert shared_stranger.get("/v1-webhooks/openapi.json").status_code == 401


@pytest.mark.parametrize("query", [{"state": "bogus"}, {"state": "active"}])
@pytest.mark.parametrize("kind", ["deliveries", "executions"])
def test_a_state_that_nothing_ever_has_is_refused(
    shared_owner: httpx.Client, kind: str, query: dict[str, str]
) -> None:
    answer = shared_owner.get(f"/v1-webhooks/{kind}", params=query)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("state must be one of ")


def test_what_the_document_calls_a_receiver_can_be_sent_back(
    shared: Served, shared_owner: httpx.Client
) -> None:
    made = shared_owner.post("/v1-webhooks/receivers", json=receiver_body("back")).json()
    told = get(shared_owner, "/openapi.json")
    assert not refuses(told, "Receiver", made)
    assert not refuses(told, "ReceiverUpdate", made)
    answer = shared_owner.put(f"/v1-webhooks/receivers/{made['id']}", json=made)
    assert answer.status_code == 200, answer.text
