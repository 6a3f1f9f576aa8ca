"""Bodies as clients of v1.6 send them are read as v1.6 read them; every other body is not."""

from collections.abc import Mapping
from typing import Any

import pytest

from webhook_service.receiving.v16.body import CONFIGS, read_as_v16

UPGRADE = {"serviceSelector": {"app": "shop"}, "tag": "1.2.3"}
PLAIN = {"name": "shop", "driver": "serviceUpgrade", "serviceUpgradeConfig": UPGRADE}
FIELDS = {name: [*known, "timeoutSeconds", "containers"] for name, known in CONFIGS.items()}
FIELDS["jobRun"] = ["args"]


def read(**fields: Any) -> Mapping[str, Any]:
    return read_as_v16({**PLAIN, **fields}, FIELDS)


def config(**fields: Any) -> Any:
    return read(serviceUpgradeConfig={**UPGRADE, **fields})["serviceUpgradeConfig"]


@pytest.mark.parametrize(
    "more",
    [
        {"description": "ours", "kind": "webhookReceiver", "uuid": "1-2", "actionLinks": {}},
        {"Key": "", "ID": "", "Links": None, "URL": "", "State": ""},
        {"state": "requested"},
        {"state": "inactive", "removed": None, "accountId": "1a5"},
        {"scaleHostConfig": {"amount": 1}, "forwardPostConfig": {}},
        {"id": "1go1", "type": "receiver", "links": {"self": "http://old"}, "url": "http://old"},
    ],
)
def test_what_v1_6_did_not_know_is_left_out(more: dict[str, Any]) -> None:
    assert read(**more) == PLAIN


def test_names_count_without_regard_to_case() -> None:
    config = {"ServiceSelector": {"App": "Shop"}, "TAG": "1.2.3", "startfirst": True}
    found = read_as_v16(
        {"Name": "shop", "DRIVER": "serviceUpgrade", "serviceupgradeconfig": config}, FIELDS
    )
    own = {"serviceSelector": {"App": "Shop"}, "tag": "1.2.3", "startFirst": True}
    assert found == {**PLAIN, "serviceUpgradeConfig": own}


def test_the_name_as_it_is_written_counts_before_another_case() -> None:
    assert read(Name="other")["name"] == "shop"


@pytest.mark.parametrize(
    "more",
    [
        {"image": "docker:acme/shop"},
        {"env": "", "hostTemplateId": None},
        {"payloadFormat": "", "addressType": "", "startFirst": None},
        {"payloadFormat": "quay"},
        {"payloadFormat": "docker", "addressType": "nonsense"},
    ],
)
def test_a_config_is_read_likewise(more: dict[str, Any]) -> None:
    assert config(**more) == UPGRADE


def test_a_format_that_v1_6_knew_stays() -> None:
    more = {"payloadFormat": "alicloud", "addressType": "registry-vpc"}
    assert config(**more) == {**UPGRADE, **more}


@pytest.mark.parametrize("state", ["active", "suspended"])
def test_our_own_states_are_meant(state: str) -> None:
    assert read(state=state)["state"] == state


@pytest.mark.parametrize(
    "newer",
    [
        {"verify": {"scheme": "none"}},
        {"Verify": {"scheme": "none"}},
        {"verfy": {"scheme": "hmac"}},
        {"match": {"tags": {"policy": "any"}}},
        {"serviceUpgradeConfig": {**UPGRADE, "timeoutSeconds": 60}},
        {"serviceUpgradeConfig": {**UPGRADE, "timeoutSecond": 60}},
        {"serviceUpgradeConfig": {**UPGRADE, "conatiners": ["app"]}},
        {"driver": "jobRun"},
    ],
)
def test_a_body_that_says_anything_newer_is_left_as_it_is(newer: dict[str, Any]) -> None:
    body = {**PLAIN, "kind": "webhookReceiver", **newer}
    assert read_as_v16(body, FIELDS) == body


@pytest.mark.parametrize("driver", ["nonsense", "", None, 7])
def test_the_mistake_of_a_body_without_a_known_driver_is_the_driver(driver: Any) -> None:
    sent = {"Name": "shop", "Driver": driver, "uuid": "1"}
    kept = {"driver": driver} if driver else {}
    assert read_as_v16(sent, FIELDS) == {"name": "shop", **kept}
