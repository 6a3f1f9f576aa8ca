"""What v1.6 gave out about its receivers, in each form that people have it in."""

from typing import Any

import jwt
import pytest

from webhook_service.errors import InvalidConfig
from webhook_service.receiving.v16.importer import (
    NeedsMapping,
    OldReceiver,
    moved,
    read_old_receivers,
    read_old_url,
)

KEY = "TA5hAHRjNMOmJh8WxHo9S85YjTLW32tr9EUmrVME"
UUID = "a5b1f0de-4c1f-4b2a-9d3e-0123456789ab"
URL = f"https://rancher.example.com/v1-webhooks/endpoint?key={KEY}&projectId=1a5"
TOKEN = jwt.encode({"uuid": UUID, "projectId": "1a7"}, "k" * 32)
SCALE = {"serviceId": "1s7", "action": "up", "amount": 1, "min": 1, "max": 4}
ANSWER = {
    **{"id": "1go1", "type": "receiver", "name": "more", "driver": "scaleService", "url": URL},
    **{"scaleServiceConfig": SCALE, "scaleHostConfig": {}, "state": "active", "actions": {}},
}
GENERIC = {
    **{"name": "more", "key": KEY, "kind": "webhookReceiver", "accountId": "1a5", "uuid": "7-8"},
    "resourceData": {"url": URL, "driver": "scaleService", "config": SCALE},
}
BODY = {"name": "more", "driver": "scaleService", "scaleServiceConfig": SCALE}


@pytest.mark.parametrize("item", [ANSWER, GENERIC], ids=["answer", "generic object"])
@pytest.mark.parametrize("wrap", [dict, lambda item: [item], lambda item: {"data": [item]}])
def test_a_receiver_is_read_from_each_form(item: dict[str, Any], wrap: Any) -> None:
    (old,) = read_old_receivers(wrap(item))
    assert (old.name, old.driver, old.key, old.project) == ("more", "scaleService", KEY, "1a5")
    assert {name: old.body[name] for name in BODY} == BODY and not old.signed


def test_objects_of_other_kinds_are_left_out() -> None:
    others = [{"kind": "registryCredential", "name": "x"}, GENERIC]
    assert len(read_old_receivers({"data": others})) == 1


@pytest.mark.parametrize("data", [7, "x", None, {"data": 7}, {"data": ["x"]}, [[]]])
def test_what_is_no_list_of_receivers_is_refused(data: Any) -> None:
    with pytest.raises(InvalidConfig, match="neither a receiver of v1.6 nor a list"):
        read_old_receivers(data)


@pytest.mark.parametrize("item", [{}, {"name": 7, "driver": []}, {"resourceData": {"config": 1}}])
def test_a_receiver_that_says_too_little_is_left_to_be_refused(item: dict[str, Any]) -> None:
    (old,) = read_old_receivers([item])
    assert old.key is None
    assert moved(old, {}, "shop") == old


@pytest.mark.parametrize(
    ("text", "key", "project"),
    [
        (KEY, KEY, None),
        (f" {UUID}\n", UUID, None),
        (URL, KEY, "1a5"),
        (f"/v1-webhooks/endpoint/?projectId=1a5&key={KEY}", KEY, "1a5"),
        (f"http://old:8080/v1-webhooks/endpoint?token={TOKEN}", UUID, "1a7"),
    ],
)
def test_a_url_has_the_key_or_a_token_with_it(text: str, key: str, project: str | None) -> None:
    found = read_old_url(text)
    assert (found.key, found.project, found.signed) == (key, project, "token" in text)


@pytest.mark.parametrize(
    "text", ["", "x", "https://x/?key=x", "https://x/?token=a.b.c", "?token=e30.W10.x", "[::1"]
)
def test_a_text_without_a_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidConfig, match="40 letters and digits"):
        read_old_url(text)


def old(driver: str, **config: Any) -> OldReceiver:
    return OldReceiver({"name": "a", "driver": driver, f"{driver}Config": config}, KEY)


def test_ids_of_rancher_become_names_of_kubernetes() -> None:
    found = moved(old("scaleService", serviceId="1s7"), {"1s7": "shop/web"}, None)
    assert found.body["scaleServiceConfig"] == {"serviceId": "shop/web"}


def test_a_service_without_a_name_needs_one() -> None:
    with pytest.raises(NeedsMapping, match="--map 1s7=NAMESPACE/NAME"):
        moved(old("scaleService", serviceId="1s7"), {"1s8": "shop/web"}, "shop")


@pytest.mark.parametrize("driver", ["serviceUpgrade", "scaleHost"])
def test_labels_are_looked_for_in_the_named_namespace(driver: str) -> None:
    assert moved(old(driver), {}, "shop").body[f"{driver}Config"] == {"namespace": "shop"}
    assert moved(old(driver), {}, None).body[f"{driver}Config"] == {}


@pytest.mark.parametrize(
    ("names", "namespace", "found"),
    [({"1a5": "ci"}, "shop", "ci"), ({}, "shop", "shop"), ({}, None, "1a5")],
)
def test_a_project_becomes_a_namespace(names: Any, namespace: str | None, found: str) -> None:
    body = moved(old("forwardPost", projectId="1a5"), names, namespace).body
    assert body["forwardPostConfig"] == {"projectId": found}
