"""Deliveries and executions over HTTP: fields, pages and filters."""

from base64 import b64decode

import httpx
import pytest

from tests.host.served import Served, get
from tests.support import PROJECT, add_receiver, push, stub_of, wait_for_end
from webhook_service.driver import Done
from webhook_service.errors import Change, DriverError


def test_a_delivery_says_what_was_decided_on_each_item(
    served: Served, owner: httpx.Client, receiver: tuple[str, str]
) -> None:
    told = push(served.service, receiver[1])
    found = get(owner, f"/deliveries/{told.id}")
    assert found["type"] == "delivery" and found["projectId"] == "1a5"
    assert found["receiver"] == receiver[0]
    assert (found["state"], found["reason"], found["duplicateOf"]) == ("accepted", None, None)
    assert found["items"] == [
        {
            "subject": "docker.io/acme/shop:1.2.3",
            "state": "accepted",
            "reason": None,
            "message": None,
            "execution": found["executions"][0],
        }
    ]
    assert found["received"].endswith("Z")
    assert owner.get(found["links"]["receiver"]).json()["id"] == receiver[0]


def test_a_duplicate_names_the_first_delivery(
    served: Served, owner: httpx.Client, receiver: tuple[str, str]
) -> None:
    first = push(served.service, receiver[1])
    push(served.service, receiver[1])
    newest, oldest = get(owner, "/deliveries")["data"]
    assert (newest["state"], newest["duplicateOf"]) == ("duplicate", first.id)
    assert oldest["id"] == first.id


def test_an_execution_shows_its_attempts_changes_and_event(
    served: Served, owner: httpx.Client, receiver: tuple[str, str]
) -> None:
    change = Change("shop/deployment/shop", "image", "acme/shop:1.2.2", "acme/shop:1.2.3")
    stub_of(served.service).steps.append(Done((change,), "updated"))
    (id_,) = push(served.service, receiver[1]).executions
    wait_for_end(served.service, id_)
    found = get(owner, f"/executions/{id_}")
    assert found["type"] == "execution"
    assert (found["state"], found["message"], found["driver"]) == ("succeeded", "updated", "stub")
    assert found["changes"] == [
        {
            "target": "shop/deployment/shop",
            "field": "image",
            "before": "acme/shop:1.2.2",
            "after": "acme/shop:1.2.3",
        }
    ]
    assert found["event"]["image"] == "docker.io/acme/shop:1.2.3"
    assert found["event"]["pushed_at"] == "2026-01-02T03:04:05Z"
    (attempt,) = found["attempts"]
    assert (attempt["number"], attempt["state"], attempt["steps"]) == (1, "succeeded", 1)
    assert attempt["started"].endswith("Z") and attempt["finished"].endswith("Z")
    assert owner.get(found["links"]["delivery"]).json()["executions"] == [id_]


def test_a_failure_has_its_reason(
    served: Served, owner: httpx.Client, receiver: tuple[str, str]
) -> None:
    stub_of(served.service).steps.append(DriverError("The target is gone.", code="target_missing"))
    (id_,) = push(served.service, receiver[1]).executions
    wait_for_end(served.service, id_)
    found = get(owner, f"/executions/{id_}")
    assert (found["state"], found["reason"]) == ("failed", "target_missing")
    assert found["message"] == "The target is gone."


@pytest.mark.parametrize("kind", ["receivers", "deliveries", "executions"])
def test_pages_are_newest_first_and_linked(served: Served, owner: httpx.Client, kind: str) -> None:
    for number in range(5):
        _, key = add_receiver(served.service, name=f"shop-{number}")
        push(served.service, key)
    whole = get(owner, f"/{kind}")
    ids = [item["id"] for item in whole["data"]]
    assert len(ids) == 5 and "pagination" not in whole and "next" not in whole["links"]

    seen, url = [], f"/v1-webhooks/{kind}?limit=2&projectId=1a5"
    while url:
        page = owner.get(url).json()
        seen.append([item["id"] for item in page["data"]])
        url = page["links"].get("next", "")
        assert page.get("pagination") == ({"limit": 2, "next": url} if url else None)
    assert seen == [ids[:2], ids[2:4], ids[4:]]


def test_filters_find_by_field(served: Served, owner: httpx.Client) -> None:
    first, key = add_receiver(served.service)
    second, other = add_receiver(served.service, name="other")
    told = push(served.service, key)
    push(served.service, other)
    assert [item["id"] for item in get(owner, "/receivers", name="other")["data"]] == [second]
    assert [item["id"] for item in get(owner, "/deliveries", receiver=first)["data"]] == [told.id]
    found = get(owner, "/executions", delivery=told.id)
    assert [item["id"] for item in found["data"]] == list(told.executions)
    assert f"delivery={told.id}" in found["links"]["self"]
    assert get(owner, "/executions", state="failed")["data"] == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=x",
        "limit=99999999999999999999",
        "limit=%D9%A1",
        "nope=1",
        "marker=x",
        "marker=%00",
        "key=1",
    ],
)
def test_a_page_that_cannot_be_is_refused(shared_owner: httpx.Client, query: str) -> None:
    answer = shared_owner.get(f"/v1-webhooks/deliveries?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("kind", ["receivers", "deliveries", "executions"])
def test_a_marker_tells_nothing_and_is_good_in_its_own_list_alone(
    served: Served, owner: httpx.Client, kind: str
) -> None:
    markers = {}
    for project in (PROJECT, "other"):
        keys = [add_receiver(served.service, project, name=name)[1] for name in ("a", "b", "c")]
        for tag in ("1", "2", "3"):
            push(served.service, keys[0], tag, project=project)
        with served.client(project=project) as client:
            following = get(client, f"/{kind}", limit="1")["links"]["next"]
            assert len(client.get(following).json()["data"]) == 1
            markers[project] = httpx.URL(following).params["marker"]
    for marker in (markers["other"], "0", "2", markers[PROJECT][:-5] + "AAA=="):
        refused = owner.get(f"/v1-webhooks/{kind}", params={"marker": marker})
        assert refused.status_code == 400
        assert "marker is not one that an earlier page of this list gave" in refused.text
    for other in {"receivers", "deliveries", "executions"} - {kind}:
        query = {"marker": markers[PROJECT]}
        assert owner.get(f"/v1-webhooks/{other}", params=query).status_code == 400
    sealed = b64decode(markers[PROJECT], altchars=b"-_")
    assert b"rcv_" not in sealed and len(sealed) > 64
