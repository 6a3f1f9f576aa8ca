"""Receivers as the UI of v1.6 sent them, and as a script reads them back and sends them again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.served import Served, get, serving
from tests.host.v16_drivers import SERVICES, V16_DRIVERS, v16_cluster
from tests.support import PROJECT, make_service, sqlite_url
from webhook_service.formats.alicloud import AliCloud
from webhook_service.formats.azure import Azure

SCALE = {"amount": 1, "action": "up", "min": 1, "max": 4}
DOWN = {"action": "down", "deleteOption": "mostRecent"}
UPGRADE = {"serviceSelector": {"app": "shop"}, "tag": "1.2.3", "batchSize": 1, "intervalMillis": 2}
CONFIGS: list[tuple[str, dict[str, Any]]] = [
    ("scaleService", {**SCALE, "serviceId": SERVICES["1s7"]}),
    ("scaleService", {**SCALE, "serviceId": SERVICES["1s7"], "action": "down"}),
    ("scaleHost", {**SCALE, "hostSelector": {"foo": "bar"}}),
    ("scaleHost", {**SCALE, "hostSelector": {"foo": ""}, **DOWN}),
    ("serviceUpgrade", {**UPGRADE, "startFirst": True, "payloadFormat": "dockerhub"}),
    ("serviceUpgrade", {**UPGRADE, "startFirst": False, "payloadFormat": "azure"}),
    ("serviceUpgrade", {**UPGRADE, "payloadFormat": "alicloud", "addressType": "registry-vpc"}),
    (
        "forwardPost",
        {"projectId": PROJECT, "serviceName": "pipeline-server", "port": "60080", "path": "/v1"},
    ),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("bodies")
    with v16_cluster() as cluster:
        options = {"kubeconfig": str(cluster.write_kubeconfig(folder / "kubeconfig"))}
        service = make_service(sqlite_url(folder), V16_DRIVERS, options=options)
        service.formats.add("alicloud", AliCloud)
        service.formats.add("azure", Azure)
        with serving(service) as running:
            yield running


def body(number: int) -> dict[str, Any]:
    driver, config = CONFIGS[number]
    others = {f"{name}Config": None for name in V16_DRIVERS}
    own = {f"{driver}Config": {"type": driver, **config}}
    return {"type": "receiver", "name": f"hook {number}", "driver": driver, **others, **own}


@pytest.mark.parametrize("number", range(len(CONFIGS)))
def test_a_body_of_v1_6_makes_a_receiver_that_reads_back_the_same(
    served: Served, number: int
) -> None:
    driver, config = CONFIGS[number]
    with served.client() as client:
        made = client.post("/v1-webhooks/receivers", json=body(number))
        assert made.status_code == 200, made.text
        found = get(client, f"/receivers/{made.json()['id']}")
        assert found[f"{driver}Config"] == {"type": driver, **config}
        assert found["verify"] == {"scheme": "none"}
        again = {**found, "name": f"copy {number}", "id": None, "url": None}
        assert client.post("/v1-webhooks/receivers", json=again).status_code == 200


def test_the_parts_of_an_upgrade_become_those_of_the_receiver(served: Served) -> None:
    with served.client() as client:
        upgrade = {**UPGRADE, "payloadFormat": "alicloud", "addressType": "registry-vpc"}
        sent = {"name": "parts", "driver": "serviceUpgrade", "serviceUpgradeConfig": upgrade}
        found = client.post("/v1-webhooks/receivers", json=sent).json()
    tags = found["match"]["tags"]
    assert (tags["policy"], tags["value"]) == ("exact", "1.2.3")
    assert found["source"] == {"format": "alicloud", "addressType": "registry-vpc"}


def test_a_client_of_go_structs_makes_its_receiver(served: Served) -> None:
    # rancher/pipeline sends its struct without tags.
    config = {"projectId": PROJECT, "serviceName": "pipeline-server", "port": "60080"}
    sent = {"ID": "", "Name": "CIEndpoint", "State": "", "Links": None, "URL": "", "Key": ""}
    own = {"Driver": "forwardPost", "forwardPostConfig": {**config, "path": "/v1/webhook"}}
    with served.client() as client:
        made = client.post("/v1-webhooks/receivers", json={**sent, **own})
    assert made.status_code == 200, made.text
    assert (made.json()["name"], made.json()["state"]) == ("CIEndpoint", "active")


def test_an_answer_of_v1_6_makes_the_receiver_again(served: Served) -> None:
    others = {f"{name}Config": {} for name in V16_DRIVERS}
    config = {"type": "serviceUpgrade", **UPGRADE, "payloadFormat": "docker", "image": "acme/shop"}
    old = {
        **{"id": "1go7", "type": "receiver", "name": "answered", "state": "active"},
        **{"links": {"self": "http://old"}, "actions": {}, "url": "http://old?key=abc"},
        **{"driver": "serviceUpgrade", **others, "serviceUpgradeConfig": config},
    }
    with served.client() as client:
        made = client.post("/v1-webhooks/receivers", json=old)
    assert made.status_code == 200, made.text
    assert made.json()["source"]["format"] == "dockerhub"


def test_a_body_with_anything_newer_has_its_typos_refused(served: Served) -> None:
    sent = body(4) | {"name": "typo", "verify": {"scheme": "none"}, "kind": "webhookReceiver"}
    with served.client() as client:
        assert client.post("/v1-webhooks/receivers", json=sent).status_code == 422
