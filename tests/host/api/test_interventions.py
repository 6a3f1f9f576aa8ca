"""Replay, cancel and simulate over HTTP."""

import json

import httpx
import pytest

from tests.host.served import Served
from tests.support import add_receiver, push, stub_of, wait_for, wait_for_end
from webhook_service.driver import Context, DriverConfig, Plan, PushEvent, Wait
from webhook_service.errors import Change, DriverError
from webhook_service.testing.samples import dockerhub_push


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


@pytest.mark.parametrize("action", ["replay", "cancel", "approve", "refuse"])
def test_an_unknown_execution_is_not_found(owner: httpx.Client, action: str) -> None:
    answer = owner.post(f"/v1-webhooks/executions/exe_unknown/{action}")
    assert (answer.status_code, answer.json()["message"]) == (404, "Execution not found")


@pytest.mark.parametrize(
    "path",
    [
        "executions/replay",
        "executions/x/replay",
        "executions/x/cancel",
        "receivers/x/simulate",
        "receivers/x/rollback",
    ],
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


def fail(served: Served, key: str, tag: str) -> str:
    """Push a tag whose execution fails; gives the execution."""
    stub_of(served.service).steps.append(DriverError("not today", code="not_today"))
    (failed,) = push(served.service, key, tag).executions
    assert wait_for_end(served.service, failed).state == "failed"
    return failed


def test_all_that_failed_is_replayed_once(
    served: Served, owner: httpx.Client, receiver: tuple[str, str]
) -> None:
    failed = fail(served, receiver[1], "1.2.3")
    asked = {"receiver": receiver[0], "reason": "not_today", "since": "2026-01-01T00:00:00Z"}
    dry = owner.post("/v1-webhooks/executions/replay", json={**asked, "dryRun": True}).json()
    assert (dry["dryRun"], dry["replayed"], dry["executions"]) == (True, [failed], [])
    made = owner.post("/v1-webhooks/executions/replay", json=asked).json()
    assert (made["type"], made["replayed"], made["remaining"]) == ("replay", [failed], 0)
    (replay,) = made["executions"]
    assert wait_for_end(served.service, replay).state == "succeeded"
    shown = owner.get(f"/v1-webhooks/executions/{replay}").json()
    assert shown["replayOf"] == failed and shown["requestedBy"].startswith("tok_")
    assert owner.post("/v1-webhooks/executions/replay").json()["replayed"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"state": "running"}, 400),
        ({"state": "nonsense"}, 400),
        ({"since": "yesterday"}, 400),
        ({"since": "2026-01-01T00:00:00"}, 400),
        ({"limit": 1001}, 400),
        ({"dryRun": "yes"}, 400),
        ({"dry": True}, 422),
        ([], 400),
    ],
)
def test_a_replay_of_many_that_cannot_be_understood_is_refused(
    owner: httpx.Client, body: object, status: int
) -> None:
    assert owner.post("/v1-webhooks/executions/replay", json=body).status_code == status


def test_a_rollback_deploys_what_ran_before(
    served: Served, owner: httpx.Client, receiver: tuple[str, str]
) -> None:
    for tag in ("1.0.0", "2.0.0"):
        (execution,) = push(served.service, receiver[1], tag, pushed_at=None).executions
        assert wait_for_end(served.service, execution).state == "succeeded"
    made = owner.post(f"/v1-webhooks/receivers/{receiver[0]}/rollback").json()
    assert (made["type"], made["event"]["tag"]) == ("execution", "1.0.0")
    assert wait_for_end(served.service, made["id"]).state == "succeeded"
    undone = served.service.get_execution("1a5", execution)
    assert stub_of(served.service).calls[-1].context.rolls_back == undone.identity
    history = owner.get(f"/v1-webhooks/receivers/{receiver[0]}/history").json()
    assert (history["type"], history["resourceType"]) == ("collection", "revision")
    assert [(item["image"][-5:], item["live"], item["held"]) for item in history["data"]] == [
        ("1.0.0", False, False),
        ("2.0.0", False, True),
        ("1.0.0", True, False),
    ]
    assert history["data"][0]["by"].startswith("tok_")


def test_a_rollback_needs_something_to_go_back_to(
    served: Served, owner: httpx.Client, receiver: tuple[str, str]
) -> None:
    path = f"/v1-webhooks/receivers/{receiver[0]}/rollback"
    assert "recorded yet" in owner.post(path).json()["message"]
    (execution,) = push(served.service, receiver[1], "1.0.0").executions
    wait_for_end(served.service, execution)
    unknown = owner.post(path, json={"to": "acme/shop:7"})
    assert unknown.status_code == 400 and "acme/shop:7 is no execution" in unknown.text
    assert owner.post(path, json={"image": "acme/shop:7"}).status_code == 422
    missing = owner.post("/v1-webhooks/receivers/rcv_unknown/rollback")
    assert (missing.status_code, missing.json()["message"]) == (404, "Webhook not found")


def test_a_rollback_waits_for_nobody(served: Served, owner: httpx.Client) -> None:
    """Neither rules, nor a suspension, nor approvals keep the way back shut."""
    id_, key = add_receiver(served.service, name="strict")
    for tag in ("1.0.0", "2.0.0"):
        (execution,) = push(served.service, key, tag, pushed_at=None).executions
        wait_for_end(served.service, execution)
    changed = owner.put(
        f"/v1-webhooks/receivers/{id_}",
        json={
            "approval": {"count": 2},
            "match": {
                "tags": {"policy": "newer", "value": "semver"},
                "freeze": [{"cron": "* * * * *", "minutes": 60}],
            },
            "state": "suspended",
        },
    )
    assert changed.status_code == 200, changed.text
    made = owner.post(f"/v1-webhooks/receivers/{id_}/rollback").json()
    assert wait_for_end(served.service, made["id"]).state == "succeeded"


def held(served: Served, **approval: int) -> str:
    """An execution that waits for approval."""
    _, key = add_receiver(served.service, name="asks", approval=approval, verify={"scheme": "none"})
    (execution,) = push(served.service, key).executions
    assert served.service.get_execution("1a5", execution).state == "held"
    return execution


def test_enough_people_let_a_push_run(
    served: Served, owner: httpx.Client, member: httpx.Client, readonly: httpx.Client
) -> None:
    execution = held(served, count=2, withinSeconds=3600)
    path = f"/v1-webhooks/executions/{execution}"
    assert readonly.post(f"{path}/approve").status_code == 405
    first = owner.post(f"{path}/approve").json()
    assert (first["state"], first["approval"]["needed"]) == ("held", 2)
    assert [vote["approved"] for vote in first["approval"]["votes"]] == [True]
    member.post(f"{path}/approve")
    assert wait_for_end(served.service, execution).state == "succeeded"
    voters = [vote["voter"] for vote in owner.get(path).json()["approval"]["votes"]]
    assert len(set(voters)) == 2 and all(voter.startswith("tok_") for voter in voters)
    again = owner.post(f"{path}/approve")
    assert again.status_code == 400 and "does not wait for approval" in again.text


def test_one_person_ends_a_push_by_refusing_it(
    served: Served, member: httpx.Client, readonly: httpx.Client
) -> None:
    execution = held(served)
    path = f"/v1-webhooks/executions/{execution}"
    assert readonly.post(f"{path}/refuse").status_code == 405
    refused = member.post(f"{path}/refuse").json()
    assert (refused["state"], refused["reason"]) == ("cancelled", "refused")
    assert stub_of(served.service).calls == []


def test_a_member_lets_a_push_through_a_freeze_window(
    served: Served, member: httpx.Client, readonly: httpx.Client
) -> None:
    match = {"freeze": [{"cron": "* * * * *", "minutes": 60}]}
    _, key = add_receiver(served.service, match=match, verify={"scheme": "none"})
    (execution,) = push(served.service, key).executions
    path = f"/v1-webhooks/executions/{execution}"
    assert readonly.post(f"{path}/release").status_code == 405
    assert member.post(f"{path}/release").json()["letThrough"].startswith("tok_")
    assert wait_for_end(served.service, execution).state == "succeeded"
    again = member.post(f"{path}/release")
    assert again.status_code == 400 and "it is succeeded" in again.text


def test_what_waits_for_approval_is_not_let_through_by_a_release(
    served: Served, owner: httpx.Client
) -> None:
    execution = held(served)
    refused = owner.post(f"/v1-webhooks/executions/{execution}/release")
    assert refused.status_code == 400
    assert f"execution approve {execution} -p 1a5" in refused.text


def test_an_approval_waits_for_the_end_of_a_freeze_window(
    served: Served, owner: httpx.Client
) -> None:
    match = {"freeze": [{"cron": "* * * * *", "minutes": 60}]}
    _, key = add_receiver(served.service, approval={}, match=match, verify={"scheme": "none"})
    (execution,) = push(served.service, key).executions
    approved = owner.post(f"/v1-webhooks/executions/{execution}/approve").json()
    assert (approved["state"], approved["reason"]) == ("held", "frozen")


@pytest.mark.parametrize("approval", [{"count": 0}, {"count": 21}, {"withinSeconds": 1}, {"x": 1}])
def test_an_approval_rule_that_cannot_work_is_refused(
    owner: httpx.Client, approval: dict[str, int]
) -> None:
    body = {"name": "x", "driver": "stub", "approval": approval, "verify": {"scheme": "none"}}
    answer = owner.post("/v1-webhooks/receivers", json=body)
    assert answer.status_code == 400 and "approval" in answer.json()["message"]
