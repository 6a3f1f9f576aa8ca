"""Holds over HTTP, by the client and by the command line's way."""

import httpx

from tests.host.served import Served
from tests.support import push, wait_for, wait_for_end


def test_a_project_is_held_shown_and_released(
    served: Served, owner: httpx.Client, receiver: tuple[str, str]
) -> None:
    body = {"name": "incident-42", "why": "the database is down"}
    made = owner.post("/v1-webhooks/holds", json=body).json()
    assert (made["type"], made["name"], made["why"]) == ("hold", "incident-42", body["why"])
    (execution,) = push(served.service, receiver[1]).executions
    wait_for(lambda: served.service.get_execution("1a5", execution).state == "held")
    (listed,) = owner.get("/v1-webhooks/holds").json()["data"]
    assert listed == made
    again = owner.post("/v1-webhooks/holds", json=body)
    assert (again.status_code, "already" in again.json()["message"]) == (400, True)
    assert owner.delete(f"/v1-webhooks/holds/{made['id']}").status_code == 204
    assert wait_for_end(served.service, execution).state == "succeeded"
    assert owner.delete(f"/v1-webhooks/holds/{made['id']}").status_code == 404
    actions = [entry["action"] for entry in owner.get("/v1-webhooks/audit").json()["data"]]
    assert actions[:2] == ["project.released", "project.held"]


def test_readers_see_holds_and_make_none(owner: httpx.Client, readonly: httpx.Client) -> None:
    made = owner.post("/v1-webhooks/holds", json={"why": "a freeze"}).json()
    assert [each["name"] for each in readonly.get("/v1-webhooks/holds").json()["data"]] == ["hold"]
    assert readonly.post("/v1-webhooks/holds", json={"why": "x"}).status_code == 405
    assert readonly.delete(f"/v1-webhooks/holds/{made['id']}").status_code == 405
    assert owner.post("/v1-webhooks/holds", json={"name": "x"}).status_code == 400
