"""Replay, cancel and simulate over HTTP."""

import json

import httpx
import pytest

from tests.host.served import Served
from tests.support import push, stub_of, wait_for, wait_for_end
from webhook_service.driver import Change, Context, DriverConfig, Plan, PushEvent, Wait
from webhook_service.errors import DriverError
from webhook_service.testing.payloads import dockerhub_push


def test_a_failed_execution_is_replayed(
    served: Served, owner: httpx.Client, receiver: tuple[str, str]
) -> None:
    stub_of(served.service).steps.append(DriverError("not today"))
    (failed,) = push(served.service, receiver[1]).executions
    assert wait_for_end(served.service, failed).state == "failed"
    answer = owner.post(f"/v1-webhooks/executions/{failed}/replay")
    assert answer.status_code == 200
    replay = answer.json()
    assert replay["id"] != failed and replay["event"]["tag"] == "1.2.3"
    assert wait_for_end(served.service, replay["id"]).state == "succeeded"


def test_a_waiting_execution_is_cancelled(
    served: Served, owner: httpx.Client, receiver: tuple[str, str]
) -> None:
    stub_of(served.service).steps.append(Wait(60, {}, "rolling"))
    (waiting,) = push(served.service, receiver[1]).executions
    wait_for(lambda: served.service.get_execution("1a5", waiting).state == "waiting")
    assert owner.post(f"/v1-webhooks/executions/{waiting}/cancel").json()["state"] == "cancelled"
    again = owner.post(f"/v1-webhooks/executions/{waiting}/cancel")
    assert again.status_code == 400 and "ended already" in again.json()["message"]


@pytest.mark.parametrize("action", ["replay", "cancel"])
def test_an_unknown_execution_is_not_found(owner: httpx.Client, action: str) -> None:
    answer = owner.post(f"/v1-webhooks/executions/exe_unknown/{action}")
    assert (answer.status_code, answer.json()["message"]) == (404, "Execution not found")


@pytest.mark.parametrize(
    "path", ["executions/x/replay", "executions/x/cancel", "receivers/x/simulate"]
)
def test_a_readonly_caller_may_only_look(readonly: httpx.Client, path: str) -> None:
    assert readonly.post(f"/v1-webhooks/{path}", json={"body": {}}).status_code == 405


@pytest.mark.parametrize("body", [[], {"asOf": "yes"}])
def test_a_replay_that_cannot_be_understood_is_refused(owner: httpx.Client, body: object) -> None:
    assert owner.post("/v1-webhooks/executions/x/replay", json=body).status_code == 400


def test_a_simulation_shows_the_plan_and_changes_nothing(
    served: Served,
    owner: httpx.Client,
    receiver: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def plan(config: DriverConfig, event: PushEvent, context: Context) -> Plan:
        return Plan((Change("shop", "image", "old", event.image),), ("a note",))

    monkeypatch.setattr(stub_of(served.service), "plan", plan)
    body = json.loads(dockerhub_push("acme/shop", "1.2.3"))
    found = owner.post(f"/v1-webhooks/receivers/{receiver[0]}/simulate", json={"body": body}).json()
    (planned,) = found["planned"]
    assert planned["subject"] == "docker.io/acme/shop:1.2.3"
    assert planned["changes"][0]["after"] == "docker.io/acme/shop:1.2.3"
    assert planned["notes"] == ["a note"]
    assert owner.get("/v1-webhooks/deliveries").json()["data"] == []
    text = dockerhub_push("acme/shop", "1.2.3").decode()
    again = owner.post(
        f"/v1-webhooks/receivers/{receiver[0]}/simulate", json={"body": text, "headers": {}}
    )
    assert again.json() == found


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ([], 400),
        ({"body": {}, "headers": []}, 400),
        ({"body": {}, "headers": {"a": 1}}, 400),
        ({"body": {}, "x": 1}, 422),
        ({"body": "no json"}, 400),
    ],
)
def test_a_simulation_that_cannot_be_understood_is_refused(
    owner: httpx.Client, receiver: tuple[str, str], body: object, status: int
) -> None:
    answer = owner.post(f"/v1-webhooks/receivers/{receiver[0]}/simulate", json=body)
    assert answer.status_code == status
