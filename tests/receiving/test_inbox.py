"""Inboxes: a call is read once, and each receiver that it is for takes it or says why not."""

import asyncio
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support import (
    PROJECT,
    make_service,
    push,
    receiver_body,
    sqlite_url,
    stub_of,
    wait_for_end,
)
from webhook_service.errors import (
    ChangedMeanwhile,
    InvalidConfig,
    InvalidPayload,
    InvalidRequest,
    NotFound,
    OutdatedVersion,
    UnknownField,
    UnknownKey,
)
from webhook_service.formats.harbor import Harbor
from webhook_service.model.delivery import Call, Delivery, DeliveryState
from webhook_service.model.inbox import Inbox
from webhook_service.model.pages import PageRequest
from webhook_service.model.receiver import Receiver
from webhook_service.plugins.instances import Drivers
from webhook_service.receiving import cache
from webhook_service.receiving import inbox as receiving
from webhook_service.receiving.compiled import CompiledReceiver, compile_receiver
from webhook_service.receiving.gate import Gate
from webhook_service.schemes.header import Header
from webhook_service.service import WebhookService
from webhook_service.testing.samples import dockerhub_push

BODY = {"name": "hub", "source": {"format": "dockerhub"}, "verify": {"scheme": "none"}}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebhookService]:
    with make_service(sqlite_url(tmp_path)) as found:
        found.formats.add("harbor", Harbor)
        found.schemes.add("header", Header)
        yield found


def make_inbox(service: WebhookService, **fields: Any) -> tuple[Inbox, str]:
    inbox = service.inboxes.create(PROJECT, {**BODY, **fields})
    return inbox, str(service.inboxes.describe([inbox])[inbox.id].key)


def listens(service: WebhookService, name: str, *repositories: str, **fields: Any) -> str:
    """A receiver that has its pushes from the inbox; its id."""
    match = {"repositories": repositories or [f"acme/{name}"], **fields.pop("match", {})}
    listen = fields.pop("listen", {"inboxes": ["hub"]})
    body = receiver_body(name, listen=listen, match=match, stubConfig={"target": name}, **fields)
    return service.create_receiver(PROJECT, body).id


def test_a_call_is_handed_to_every_receiver_that_it_is_for(service: WebhookService) -> None:
    inbox, key = make_inbox(service)
    shop, mirror = listens(service, "shop"), listens(service, "mirror", "acme/*")
    old = listens(service, "old", "acme/shop", match={"tags": {"policy": "semver", "value": "<1"}})
    listens(service, "cart")

    told = push(service, key)

    assert (told.receiver, told.state) == (inbox.id, DeliveryState.ACCEPTED)
    assert {(item.receiver, item.state, item.reason) for item in told.items} == {
        (shop, "accepted", None),
        (mirror, "accepted", None),
        (old, "ignored", "tag_mismatch"),
    }
    ended = [wait_for_end(service, execution) for execution in told.executions]
    assert {(one.receiver, one.state.value) for one in ended} == {
        (shop, "succeeded"),
        (mirror, "succeeded"),
    }
    assert service.get_delivery(PROJECT, told.id).items == told.items


def test_a_push_that_is_for_nobody_says_so(service: WebhookService) -> None:
    _, key = make_inbox(service)
    listens(service, "shop")

    told = push(service, key, repository="acme/other")

    assert (told.state, told.reason) == (DeliveryState.IGNORED, "repository_mismatch")
    assert told.items[0].message == "None of the 1 receivers that listen names this repository."


def test_a_copy_of_a_call_is_done_once_by_each(service: WebhookService) -> None:
    _, key = make_inbox(service)
    listens(service, "shop")
    listens(service, "second", "acme/shop")
    first, second = push(service, key), push(service, key)

    assert (second.state, second.duplicate_of) == (DeliveryState.DUPLICATE, first.id)
    # Who begins to listen later takes what is sent again; for the others it is a copy.
    late = listens(service, "late", "acme/shop")
    third = push(service, key)
    assert third.state is DeliveryState.ACCEPTED
    assert [item.receiver for item in third.items if item.state == "accepted"] == [late]


def test_a_receiver_with_both_ways_in_deploys_a_push_once(service: WebhookService) -> None:
    _, key = make_inbox(service)
    both = listens(
        service,
        "shop",
        listen={"inboxes": ["hub"], "ownUrl": True},
        verify={"scheme": "none"},
    )
    own = service.receiver_key(PROJECT, both)

    assert push(service, key).state is DeliveryState.ACCEPTED
    assert push(service, own).state is DeliveryState.DUPLICATE


def test_every_change_of_a_listener_counts_from_then_on(service: WebhookService) -> None:
    _, key = make_inbox(service)
    shop = listens(service, "shop")
    assert push(service, key, tag="1").state is DeliveryState.ACCEPTED

    service.suspend_receiver(PROJECT, shop)
    assert push(service, key, tag="2").reason == "suspended"
    service.resume_receiver(PROJECT, shop)
    service.update_receiver(PROJECT, shop, {"match": {"tags": {"include": ["v*"]}}})
    assert push(service, key, tag="3").reason == "tag_mismatch"
    service.update_receiver(
        PROJECT, shop, {"listen": {"inboxes": [], "ownUrl": True}, "verify": {"scheme": "none"}}
    )
    assert push(service, key, tag="v4").reason == "repository_mismatch"
    service.delete_receiver(PROJECT, listens(service, "cart"))
    assert push(service, key, repository="acme/cart").reason == "repository_mismatch"


def test_of_many_calls_after_a_change_only_one_compiles_the_inbox(
    service: WebhookService, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key = make_inbox(service)
    for number in range(20):
        listens(service, f"shop-{number}")
    compiled: list[str] = []

    def compile_slowly(receiver: Receiver, drivers: Drivers, gate: Gate) -> CompiledReceiver:
        compiled.append(receiver.name)
        time.sleep(0.01)
        return compile_receiver(receiver, drivers, gate)

    monkeypatch.setattr(cache, "compile_receiver", compile_slowly)
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda tag: push(service, key, str(tag), "acme/shop-7"), range(8)))
    assert [each.state for each in told] == [DeliveryState.ACCEPTED] * 8
    assert len(compiled) == len(set(compiled)) == 20


async def told_of(service: WebhookService, key: str, tag: str) -> Delivery:
    return await service.accept_async(PROJECT, key, Call(dockerhub_push("acme/shop", tag)))


def test_a_call_decided_from_memory_sees_a_change_made_by_another_host(tmp_path: Path) -> None:
    async def run(one: WebhookService, other: WebhookService) -> None:
        _, key = make_inbox(one)
        shop = listens(one, "shop")
        for tag in ("1", "2"):
            assert (await told_of(one, key, tag)).state is DeliveryState.ACCEPTED
        other.suspend_receiver(PROJECT, shop)
        assert (await told_of(one, key, "3")).reason == "suspended"

    url = sqlite_url(tmp_path)
    with make_service(url) as one, make_service(url) as other:
        asyncio.run(run(one, other))


def test_calls_are_decided_from_memory(
    service: WebhookService, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        _, key = make_inbox(service)
        listens(service, "shop")
        await told_of(service, key, "1")
        monkeypatch.setattr(service, "_decide", None)
        assert (await told_of(service, key, "2")).state is DeliveryState.ACCEPTED

    asyncio.run(run())


def test_a_broken_listener_harms_no_other(service: WebhookService) -> None:
    _, key = make_inbox(service)
    good, bad = listens(service, "good", "acme/shop"), listens(service, "bad", "acme/shop")

    def slot(config: Any, event: Any) -> str:
        if config.target == "bad":
            raise RuntimeError("broken")
        return str(config.target)

    stub_of(service).slot = slot  # type: ignore[method-assign]
    told = push(service, key)

    assert {(item.receiver, item.reason) for item in told.items} == {
        (good, None),
        (bad, "unusable"),
    }


def test_the_filters_of_one_call_share_what_they_may_cost_beyond_a_little(
    service: WebhookService,
) -> None:
    _, key = make_inbox(service)
    dear = "[" + "1," * 24 + "1].all(x, [" + "1," * 24 + "1].all(y, x == 1))"
    for number in range(3):
        listens(service, f"dear-{number}", "acme/shop", match={"when": dear})
    good = listens(service, "good", "acme/shop", match={"when": "event.tag != 'latest'"})

    told = push(service, key)

    reasons = {item.receiver: item.reason for item in told.items}
    assert sorted(map(str, reasons.values())) == ["None", "None", "filter_error", "filter_error"]
    assert reasons[good] is None
    shared = [item.message for item in told.items if item.reason == "filter_error"]
    assert all("too many steps for this call" in (message or "") for message in shared)


def test_one_call_cannot_bring_work_without_end(
    service: WebhookService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "MAX_WORKS", 1)
    _, key = make_inbox(service)
    listens(service, "one", "acme/shop")
    assert push(service, key, tag="1").state is DeliveryState.ACCEPTED
    listens(service, "two", "acme/shop")
    with pytest.raises(InvalidPayload, match="more than 1 times"):
        push(service, key, tag="2")


def test_a_simulation_says_who_would_take_what(service: WebhookService) -> None:
    inbox, _ = make_inbox(service)
    shop = listens(service, "shop")
    old = listens(service, "old", "acme/shop", match={"tags": {"include": ["v*"]}})

    found = service.inboxes.simulate(PROJECT, inbox.id, Call(dockerhub_push("acme/shop", "1")))

    assert [work.receiver for work in found.planned] == [shop]
    assert [(item.receiver, item.reason) for item in found.ignored] == [(old, "tag_mismatch")]
    assert service.list_executions(PROJECT).items == ()


def test_a_receiver_that_only_listens_has_no_url(service: WebhookService) -> None:
    make_inbox(service)
    shop = service.get_receiver(PROJECT, listens(service, "shop"))
    assert not shop.spec.listen.own_url
    assert service.receiver_keys([shop]) == {}
    with pytest.raises(InvalidConfig, match="no URL of its own: rotate that of the inbox"):
        service.rotate_key(PROJECT, shop.id)


def test_a_url_comes_and_goes_with_an_update(service: WebhookService) -> None:
    make_inbox(service)
    shop = listens(service, "shop")
    with pytest.raises(InvalidConfig, match="verify: say how"):
        service.update_receiver(PROJECT, shop, {"listen": {"ownUrl": True}})
    changes = {"listen": {"ownUrl": True}, "verify": {"scheme": "none"}}
    service.update_receiver(PROJECT, shop, changes)
    key = service.receiver_key(PROJECT, shop)
    assert push(service, key).state is DeliveryState.ACCEPTED
    # Who listens as well keeps its URL.
    service.update_receiver(PROJECT, shop, {"listen": {"inboxes": ["hub"]}})
    assert push(service, key, tag="2").state is DeliveryState.ACCEPTED
    service.update_receiver(PROJECT, shop, {"listen": {"ownUrl": False}})
    with pytest.raises(UnknownKey):
        push(service, key, tag="3")


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"listen": {"inboxes": ["nope"]}}, "no inbox named 'nope'; make it first"),
        ({"listen": {"ownUrl": False}}, "nobody could ever call the receiver"),
        ({"listen": {"inboxes": ["hub"]}, "match": {}}, "say in match.repositories"),
        ({"source": {"format": "dockerhub", "registry": "x.example"}}, "its inbox says who calls"),
        ({"listen": {"inbox": "hub"}}, "listen.inbox: Extra inputs"),
    ],
)
def test_a_receiver_that_could_not_listen_is_refused(
    service: WebhookService, fields: dict[str, Any], problem: str
) -> None:
    make_inbox(service)
    rest = {"listen": {"inboxes": ["hub"]}, "match": {"repositories": ["acme/shop"]}}
    if "inbox" in fields.get("listen", {}):
        rest["verify"] = {"scheme": "none"}
    with pytest.raises(InvalidConfig, match=problem):
        service.create_receiver(PROJECT, receiver_body(**{**rest, **fields}))


@pytest.mark.parametrize(
    ("body", "error", "problem"),
    [
        ({"name": ""}, InvalidConfig, "Name not provided"),
        ({"name": "hub\x1b[2J"}, InvalidConfig, "name: must have printable characters"),
        ({"source": {}}, InvalidConfig, "source: say who calls"),
        ({"verify": {}}, InvalidConfig, "verify: say how calls"),
        ({"source": {"format": "nope"}}, InvalidRequest, "nope"),
        ({"verfy": {}}, UnknownField, "did you mean verify"),
    ],
)
def test_an_inbox_that_cannot_work_is_refused(
    service: WebhookService, body: dict[str, Any], error: type[Exception], problem: str
) -> None:
    with pytest.raises((error, Exception), match=problem):
        service.inboxes.create(PROJECT, {**BODY, **body})


def test_an_inbox_is_changed_deleted_and_given_a_new_key(service: WebhookService) -> None:
    inbox, key = make_inbox(service)
    with pytest.raises(InvalidConfig, match="already"):
        make_inbox(service)
    with pytest.raises(InvalidConfig, match="refer to an inbox by its name"):
        service.inboxes.update(PROJECT, inbox.id, {"name": "other"})
    with pytest.raises(InvalidConfig, match="verify: say how calls"):
        service.inboxes.update(PROJECT, inbox.id, {"verify": {}})
    with pytest.raises(OutdatedVersion):
        service.inboxes.update(PROJECT, inbox.id, {}, version=2)
    changed = service.inboxes.update(PROJECT, inbox.id, {"source": {"registry": "hub.example"}})
    assert (changed.version, changed.spec.source.options) == (2, {"registry": "hub.example"})
    with pytest.raises(ChangedMeanwhile):
        service.store.inboxes.update(inbox, inbox.spec)
    new = service.inboxes.rotate_key(PROJECT, inbox.id)
    assert service.inboxes.describe([inbox])[inbox.id].key == new
    assert {push(service, each).reason for each in (key, new)} == {"repository_mismatch"}

    shop = listens(service, "shop", "hub.example/acme/shop")
    with pytest.raises(InvalidRequest, match=r"1 of the project's receivers listen .* \(shop\)"):
        service.inboxes.delete(PROJECT, inbox.id)
    service.delete_receiver(PROJECT, shop)
    service.inboxes.delete(PROJECT, inbox.id)
    with pytest.raises(UnknownKey):
        push(service, new)
    with pytest.raises(NotFound):
        service.inboxes.get(PROJECT, inbox.id)
    actions = [entry.action for entry in service.list_audit(PROJECT).items]
    assert [each.value for each in actions if each.value.startswith("inbox.")] == [
        "inbox.deleted",
        "inbox.rotated",
        "inbox.updated",
        "inbox.created",
    ]


def test_a_change_that_a_listener_could_not_live_with_is_refused(service: WebhookService) -> None:
    inbox, _ = make_inbox(service)
    listens(service, "shop", registry={"resolve": True})
    with pytest.raises(InvalidConfig, match="The receiver shop listens to this inbox"):
        # Without a registry of its own, a body could choose which host is asked.
        service.inboxes.update(PROJECT, inbox.id, {"source": {"format": "harbor"}})


def test_the_secrets_of_an_inbox_are_hidden_and_kept(service: WebhookService) -> None:
    verify = {"scheme": "header", "secret": "s3cret-of-harbor"}
    inbox, key = make_inbox(service, verify=verify)
    body = dockerhub_push("acme/shop", "1")
    good, bad = {"authorization": "s3cret-of-harbor"}, {"authorization": "wrong"}
    assert service.accept(PROJECT, key, Call(body, good)).reason == "repository_mismatch"
    with pytest.raises(Exception, match="not proven genuine"):
        service.accept(PROJECT, key, Call(body, bad))
    same = {"scheme": "header", "secret": "********"}
    assert service.inboxes.update(PROJECT, inbox.id, {"verify": same}).spec.verify.secrets == {
        "secret": "s3cret-of-harbor"
    }
    assert "s3cret" not in json.dumps(
        [[str(change) for change in entry.changes] for entry in service.list_audit(PROJECT).items]
    )
    assert service.rotate_secret_key() > 0
    assert (
        service.inboxes.get(PROJECT, inbox.id).spec.verify.secrets["secret"] == "s3cret-of-harbor"
    )
    service.store.database.write(lambda _: None)
    (refused,) = service.list_deliveries(PROJECT, PageRequest(filters={"state": "refused"})).items
    assert refused.receiver == inbox.id


def test_the_calls_of_a_receiver_are_those_it_had_a_say_in(service: WebhookService) -> None:
    inbox, key = make_inbox(service)
    shop, cart = listens(service, "shop"), listens(service, "cart")
    told = push(service, key)

    def found(**filters: str) -> list[str]:
        page = PageRequest(filters=filters)
        return [each.id for each in service.list_deliveries(PROJECT, page).items]

    assert found(receiver=shop) == found(inbox=inbox.id) == [told.id]
    assert found(receiver=cart) == []
