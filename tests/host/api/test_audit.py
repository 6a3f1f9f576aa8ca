"""The audit over HTTP: what the requests of people leave behind."""

from ipaddress import ip_network
from pathlib import Path

import httpx

from tests.host.served import Served, get, serving
from tests.support import add_receiver, make_service, receiver_body, sqlite_url
from webhook_service.model.people.audit import AuditAction
from webhook_service.model.people.tokens import Role


def test_each_request_that_changes_a_receiver_names_the_token_and_the_address(
    served: Served, owner: httpx.Client
) -> None:
    made = owner.post("/v1-webhooks/receivers", json=receiver_body()).json()
    path = f"/v1-webhooks/receivers/{made['id']}"
    owner.put(path, json={"name": "new"})
    owner.put(path, json={"state": "suspended"})
    owner.put(path, json={"state": "active"})
    owner.post(f"{path}/rotate", json={"overlapSeconds": 60})
    owner.delete(path)
    found = get(owner, "/audit", receiver=made["id"])["data"]
    (token,) = served.service.list_tokens()
    assert {(each["actor"], each["via"], each["address"]) for each in found} == {
        (token.id, "api", "127.0.0.1")
    }
    assert [each["action"] for each in reversed(found)] == [
        "receiver.created",
        "receiver.updated",
        "receiver.suspended",
        "receiver.resumed",
        "receiver.rotated",
        "receiver.deleted",
    ]
    assert found[4]["changes"][0] == {"field": "name", "before": "shop", "after": "new"}
    assert found[4]["type"] == "auditEntry" and found[4]["at"].endswith("Z")


def test_behind_a_proxy_the_address_is_the_caller_s(tmp_path: Path) -> None:
    service, proxies = make_service(sqlite_url(tmp_path)), [ip_network("127.0.0.0/8")]
    with serving(service, trusted_proxies=proxies) as served, served.client() as client:
        forwarded = {"X-Forwarded-For": "203.0.113.9, 198.51.100.4"}
        client.post("/v1-webhooks/receivers", json=receiver_body(), headers=forwarded)
        (entry, _) = get(client, "/audit")["data"]
    assert entry["address"] == "198.51.100.4"


def test_without_a_trusted_proxy_nobody_chooses_an_address(
    served: Served, owner: httpx.Client
) -> None:
    forwarded = {"X-Forwarded-For": "203.0.113.9"}
    owner.post("/v1-webhooks/receivers", json=receiver_body(), headers=forwarded)
    assert get(owner, "/audit", action="receiver.created")["data"][0]["address"] == "127.0.0.1"


def test_an_embedding_application_is_named_as_such(served: Served, owner: httpx.Client) -> None:
    add_receiver(served.service)
    (entry,) = get(owner, "/audit", action="receiver.created")["data"]
    assert (entry["actor"], entry["via"], entry["address"]) == ("application", "application", "")


def test_pages_are_followed_by_their_links(served: Served, owner: httpx.Client) -> None:
    id_, _ = add_receiver(served.service)
    for _ in range(3):
        served.service.suspend_receiver("1a5", id_)
    first = get(owner, "/audit", limit="3", receiver=id_)
    second = owner.get(first["pagination"]["next"]).json()
    assert [len(page["data"]) for page in (first, second)] == [3, 1]
    assert second["data"][0]["action"] == AuditAction.RECEIVER_CREATED


def test_a_filter_that_means_nothing_is_refused(owner: httpx.Client) -> None:
    for query in ({"action": "x"}, {"since": "yesterday"}, {"colour": "red"}):
        assert owner.get("/v1-webhooks/audit", params=query).status_code == 400


def test_another_project_sees_nothing_of_it(served: Served, receiver: tuple[str, str]) -> None:
    with served.client(Role.OWNER, "1a6") as other:
        found = get(other, "/audit")["data"]
        assert {each["action"] for each in found} == {"token.created"}
        assert get(other, "/audit", receiver=receiver[0])["data"] == []
        foreign = other.get("/v1-webhooks/audit", params={"projectId": "1a5"})
    assert foreign.status_code == 404


def test_entries_can_neither_be_changed_nor_removed(owner: httpx.Client) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert owner.request(method, "/v1-webhooks/audit").status_code == 404
