from typing import Any

import pytest
from pydantic import ValidationError

from tests.drivers.steps import config, push
from webhook_drivers.kubernetes.drivers.deployment_update import (
    DeploymentUpdate,
    DeploymentUpdateConfig,
)
from webhook_drivers.kubernetes.strategies.rolling import Rolling


def test_the_shortest_config_has_safe_defaults() -> None:
    found = DeploymentUpdateConfig.model_validate({"namespace": "shop", "name": "shop"})
    assert (found.kind, found.pin, found.timeout_seconds) == ("Deployment", True, 600)
    assert not found.rollback_on_failure and found.strategy == Rolling()
    assert found.implied() == {}


@pytest.mark.parametrize(
    "strategy",
    [
        {"maxSurge": 1, "maxUnavailable": 0},
        {"maxSurge": "25%"},
        {"type": "rolling", "maxUnavailable": "100%"},
    ],
)
@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
def test_rolling_limits_are_taken(kind: str, strategy: dict[str, Any]) -> None:
    limits = {key: value for key, value in strategy.items() if key != "type"}
    found = config(kind=kind, strategy=strategy).strategy
    assert isinstance(found, Rolling) and found.limits == limits


@pytest.mark.parametrize(
    "wrong",
    [
        {"namespace": "Shop"},
        {"namespace": "a.b"},
        {"namespace": "a" * 64},
        {"namespace": "shop\n"},
        {"name": "-shop"},
        {"name": "shop/../x"},
        {"kind": "Pod"},
        {"containers": ["app", "app"]},
        {"containers": ["App"]},
        {"timeoutSeconds": 0},
        {"timeoutSeconds": 86401},
        {"cluster": ""},
        {"kind": "DaemonSet", "strategy": {"type": "recreate"}},
        {"kind": "CronJob", "strategy": {"type": "recreate"}},
        {"strategy": {"type": "recreate", "maxSurge": 1}},
        {"strategy": {"type": "unknown"}},
        {"strategy": {"maxSurge": 0, "maxUnavailable": "0%"}},
        {"strategy": {"maxSurge": -1}},
        {"strategy": {"maxSurge": True}},
        {"strategy": {"maxSurge": "1"}},
        {"kind": "StatefulSet", "strategy": {"maxUnavailable": 1}},
        {"kind": "CronJob", "strategy": {"maxSurge": 1}},
        {"addressType": "vpc"},
        {"typo": 1},
    ],
)
def test_a_config_that_cannot_work_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        config(**wrong)


def test_fields_of_v16_imply_tag_and_source() -> None:
    found = config(tag="stable", payloadFormat="alicloud", addressType="registry-vpc")
    assert found.implied() == {
        "match": {"tags": {"policy": "exact", "value": "stable"}},
        "source": {"format": "alicloud", "addressType": "registry-vpc"},
    }
    found = config(payloadFormat="dockerhub", addressType="registry")
    assert found.implied() == {"source": {"format": "dockerhub"}}


def test_every_field_is_described_for_forms_and_docs() -> None:
    schema = DeploymentUpdateConfig.model_json_schema(by_alias=True)
    for part in (schema, schema["$defs"]["Rolling"], schema["$defs"]["Recreate"]):
        assert [
            name for name, field in part["properties"].items() if not field.get("description")
        ] == []


def test_the_slot_is_one_repository_on_one_workload() -> None:
    driver = DeploymentUpdate()
    assert driver.slot(config(), push("1")) == "/default/Deployment/shop/docker.io/acme/shop"
    other = config(cluster="eu", kind="DaemonSet")
    assert driver.slot(other, push("9")) == "eu/default/DaemonSet/shop/docker.io/acme/shop"
