"""Receivers over HTTP."""

from typing import Any

import httpx
import pytest

from tests.host.served import Served, get
from tests.support import PROJECT, add_receiver, push, receiver_body
from webhook_service.errors import InvalidConfig, UnknownKey
from webhook_service.model.ids import is_key
from webhook_service.resources.receivers import ReceiverResource
from webhook_service.testing.stub import StubDriver


def test_a_created_receiver_is_shown_as_it_is(owner: httpx.Client) -> None:
    answer = owner.post("/v1-webhooks/receivers", json=receiver_body())
    made = answer.json()
    assert answer.status_code == 200
    assert made["id"].startswith("rcv_") and made["type"] == "receiver"
    assert (made["name"], made["driver"], made["state"]) == ("shop", "stub", "active")
    assert made["stubConfig"] == {"type": "stub"}
    assert made["source"] == {"format": "dockerhub"} and made["verify"] == {"scheme": "none"}
    assert made["created"] == made["updated"] and made["created"].endswith("Z")
    assert get(owner, f"/receivers/{made['id']}") == made
    assert get(owner, "/receivers")["data"] == [made]


def test_the_answer_says_what_people_should_know_and_is_the_only_one_that_does(
    owner: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ("Deployment shop is managed by Flux, which sets the image back.",)
    monkeypatch.setattr(StubDriver, "warnings", lambda self, config, context: said)
    made = owner.post("/v1-webhooks/receivers", json=receiver_body()).json()
    assert made["warnings"] == list(said)
    assert ReceiverResource.model_validate(made).warnings == list(said)
    where = f"/v1-webhooks/receivers/{made['id']}"
    assert owner.put(where, json={"state": "suspended"}).json()["warnings"] == list(said)
    assert "warnings" not in owner.get(where).json()


def test_the_url_is_what_senders_call(owner: httpx.Client) -> None:
    made = owner.post("/v1-webhooks/receivers", json=receiver_body()).json()
    url = httpx.URL(made["url"])
    assert url.path == "/v1-webhooks/endpoint"
    assert url.params["projectId"] == PROJECT and is_key(url.params["key"])


def test_an_update_changes_what_it_names(owner: httpx.Client) -> None:
    made = owner.post("/v1-webhooks/receivers", json=receiver_body()).json()
    changed = owner.put(f"/v1-webhooks/receivers/{made['id']}", json={"state": "suspended"}).json()
    assert changed == made | {"state": "suspended", "updated": changed["updated"]}
    assert changed["updated"] > made["updated"]


def test_two_people_do_not_overwrite_each_other(owner: httpx.Client) -> None:
    made = owner.post("/v1-webhooks/receivers", json=receiver_body())
    path, tag = f"/v1-webhooks/receivers/{made.json()['id']}", made.headers["etag"]
    assert owner.get(path).headers["etag"] == tag
    first = owner.put(path, json={"name": "first"}, headers={"if-match": tag})
    second = owner.put(path, json={"name": "second"}, headers={"if-match": tag})
    assert (first.status_code, second.status_code) == (200, 412)
    assert second.json()["code"] == "outdated_version"
    assert "read it again" in second.json()["message"]
    newer = {"if-match": first.headers["etag"]}
    assert owner.put(path, json={"name": "second"}, headers=newer).json()["name"] == "second"
    assert owner.put(path, json={"name": "third"}, headers={"if-match": "*"}).status_code == 200


@pytest.mark.parametrize("tag", ["3", 'W/"1"', '"1", "2"', '"one"', '"' + "9" * 40 + '"', ""])
def test_an_if_match_that_is_no_etag_of_a_receiver_is_refused(
    owner: httpx.Client, tag: str
) -> None:
    made = owner.post("/v1-webhooks/receivers", json=receiver_body()).json()
    path = f"/v1-webhooks/receivers/{made['id']}"
    answer = owner.put(path, json={"name": "new"}, headers={"if-match": tag})
    assert answer.status_code == 400 and answer.json()["message"].startswith("If-Match: must be")
    assert owner.get(path).json()["name"] == "shop"


def test_an_answer_can_be_sent_back(owner: httpx.Client) -> None:
    made = owner.post("/v1-webhooks/receivers", json=receiver_body()).json()
    answer = owner.put(f"/v1-webhooks/receivers/{made['id']}", json=made)
    assert answer.status_code == 200
    assert answer.json() | {"updated": ""} == made | {"updated": ""}


def test_deleting_ends_the_url(served: Served, owner: httpx.Client) -> None:
    id_, key = add_receiver(served.service)
    answer = owner.delete(f"/v1-webhooks/receivers/{id_}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert owner.get(f"/v1-webhooks/receivers/{id_}").status_code == 404
    with pytest.raises(UnknownKey):
        push(served.service, key)


@pytest.mark.parametrize("body", [None, {}, {"overlapSeconds": 60}, {"overlapSeconds": 0.5}])
def test_a_rotation_gives_a_new_url_and_keeps_the_old_one_for_the_overlap(
    served: Served, owner: httpx.Client, body: Any
) -> None:
    id_, key = add_receiver(served.service)
    answer = owner.post(f"/v1-webhooks/receivers/{id_}/rotate", json=body)
    new = httpx.URL(answer.json()["url"]).params["key"]
    assert new != key
    assert push(served.service, key, "1").receiver == push(served.service, new, "2").receiver


def test_a_rotation_without_overlap_ends_the_old_url_at_once(
    served: Served, owner: httpx.Client
) -> None:
    id_, key = add_receiver(served.service)
    owner.post(f"/v1-webhooks/receivers/{id_}/rotate", json={"overlapSeconds": 0})
    with pytest.raises(UnknownKey):
        push(served.service, key)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"overlapSeconds": -1}, 400),
        ({"overlapSeconds": 10**12}, 400),
        ({"overlapSeconds": True}, 400),
        ({"overlapSeconds": "60"}, 400),
        ({"overlap": 60}, 422),
        ([], 400),
    ],
)
def test_a_rotation_that_cannot_be_understood_changes_nothing(
    served: Served, owner: httpx.Client, body: Any, status: int
) -> None:
    id_, key = add_receiver(served.service)
    answer = owner.post(f"/v1-webhooks/receivers/{id_}/rotate", json=body)
    assert answer.status_code == status
    assert served.service.receiver_key(PROJECT, id_) == key


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ([], 400, "Bad request body: a receiver is a JSON object."),
        ({"name": "x" * 300, "driver": "stub"}, 400, "name: String should have at most 255"),
        ({"name": "a", "driver": "stub", "stubConfig": {"valid": False}}, 400, "The stub was told"),
        ({"name": "a", "driver": "stub", "stubConfig": {"x": 1}}, 400, "stubConfig.x: Extra"),
        ({"name": "a", "driver": "stub", "macth": {}}, 422, "A receiver has no field 'macth'"),
        ({"name": "a", "driver": "stub", "project": "other"}, 422, "A receiver has no field"),
    ],
)
def test_a_receiver_that_cannot_work_is_not_made(
    shared_owner: httpx.Client, body: Any, status: int, message: str
) -> None:
    answer = shared_owner.post("/v1-webhooks/receivers", json=body)
    assert answer.status_code == status
    assert answer.json()["message"].startswith(message)
    assert get(shared_owner, "/receivers")["data"] == []


def test_a_taken_name_is_refused_before_the_config_is_looked_at(owner: httpx.Client) -> None:
    owner.post("/v1-webhooks/receivers", json=receiver_body())
    body = receiver_body(stubConfig={"valid": False})
    answer = owner.post("/v1-webhooks/receivers", json=body)
    message = "Cannot have duplicate webhook name, webhook shop already exists"
    assert (answer.status_code, answer.json()["message"]) == (400, message)


@pytest.mark.parametrize("project", ["", "a/", "a\n", "x" * 256])
def test_a_project_whose_url_could_not_be_called_gets_no_receiver(
    shared: Served, project: str
) -> None:
    with pytest.raises(InvalidConfig):
        shared.service.create_receiver(project, receiver_body())


def test_names_in_any_script_come_back(owner: httpx.Client) -> None:
    made = owner.post("/v1-webhooks/receivers", json=receiver_body("καλάθι 🛒")).json()
    (found,) = get(owner, "/receivers", name="καλάθι 🛒")["data"]
    assert found == made


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_may_be_declared_in_other_ways(owner: httpx.Client, content_type: str) -> None:
    answer = owner.post(
        "/v1-webhooks/receivers",
        content=b'{"name": "a", "driver": "stub"}',
        headers={"Content-Type": content_type},
    )
    assert answer.status_code == 200


def test_a_client_that_does_not_page_gets_every_receiver(
    served: Served, owner: httpx.Client
) -> None:
    for number in range(250):
        add_receiver(served.service, name=f"hook {number}")
    for query in ({}, {"limit": "-1", "sort": "name"}):
        found = get(owner, "/receivers", **query)
        assert len(found["data"]) == 250 and "pagination" not in found
    page = get(owner, "/receivers", limit="100")
    following = owner.get(page["pagination"]["next"]).json()
    assert len(page["data"]) == len(following["data"]) == 100
    assert not {item["id"] for item in page["data"]} & {item["id"] for item in following["data"]}


def test_a_body_is_applied_to_the_version_that_was_seen(owner: httpx.Client) -> None:
    path = "/v1-webhooks/receivers/apply"
    body = receiver_body(verify={"scheme": "none"}, labels={"team": "shop"})
    would = owner.post(path, params={"dryRun": "true"}, json=body).json()
    assert (would["result"], would["version"]) == ("created", 0)
    assert get(owner, "/receivers")["data"] == []
    new = {"if-none-match": "*"}
    made = owner.post(path, json=body, headers=new).json()
    assert (made["result"], made["version"], made["name"]) == ("created", 1, "shop")
    refused = owner.post(path, json=body, headers=new)
    assert (refused.status_code, refused.json()["code"]) == (412, "outdated_version")
    (found,) = get(owner, "/receivers")["data"]
    assert found["labels"] == {"team": "shop"}
    other = {**body, "labels": {"team": "web"}}
    assert owner.post(path, json=other, headers={"if-match": '"2"'}).status_code == 412
    changed = owner.post(path, json=other, headers={"if-match": '"1"'}).json()
    assert changed["changes"] == [{"field": "labels.team", "before": "shop", "after": "web"}]
    assert owner.post(path, json=other).json()["result"] == "unchanged"
    assert owner.post(path, json=body, headers={"if-none-match": '"1"'}).status_code == 400
    assert owner.post(path, params={"dryRun": "yes"}, json=body).status_code == 400


def test_labels_merge_and_go_like_any_part(owner: httpx.Client) -> None:
    labels = {"team": "shop", "example.com/tier": "front"}
    made = owner.post(
        "/v1-webhooks/receivers", json=receiver_body(verify={"scheme": "none"}, labels=labels)
    ).json()
    path = f"/v1-webhooks/receivers/{made['id']}"
    left = owner.put(path, json={"labels": {"team": None, "a": "b"}}).json()["labels"]
    assert left == {"example.com/tier": "front", "a": "b"}
    assert owner.put(path, json={"labels": None}).json()["labels"] == {}
    for wrong in ({"a b": "c"}, {"a": "-"}, {"a": 1}, {"/a": "b"}, {"x" * 64: ""}):
        answer = owner.put(path, json={"labels": wrong})
        assert answer.status_code == 400 and "labels" in answer.json()["message"]
