"""Whom an approval binds: what a member may still do, and what only an owner may."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import make_service, receiver_body, sqlite_url
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_drivers.kubernetes.drivers.job_run import JobRun
from webhook_drivers.kubernetes.drivers.restart import Restart
from webhook_drivers.kubernetes.drivers.service_upgrade import ServiceUpgrade
from webhook_service.driver import Context, Done, Outcome, PushEvent, WebhookDriver
from webhook_service.errors import NotFound, RoleNotAllowed
from webhook_service.model.people.tokens import Role
from webhook_service.model.receiver import Receiver
from webhook_service.receiving.four_eyes import overlap
from webhook_service.service import WebhookService
from webhook_service.testing import StubConfig, StubDriver, sample_context

UNSIGNED = {"scheme": "none"}


class SlotOnly(WebhookDriver[StubConfig]):
    """Names no targets, only slots."""

    Config = StubConfig

    def slot(self, config: StubConfig, event: PushEvent) -> str:
        return config.target

    def execute(self, config: StubConfig, event: PushEvent, context: Context) -> Outcome:
        return Done()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebhookService]:
    drivers = {"stub": StubDriver, "slotOnly": SlotOnly}
    with make_service(sqlite_url(tmp_path), drivers, run=False) as made:
        yield made


def body(name: str, count: int | None, target: str = "shop", **more: Any) -> dict[str, Any]:
    approval = {} if count is None else {"approval": {"count": count}}
    config = {"stubConfig": {"target": target}}
    return receiver_body(name, verify=UNSIGNED, **approval, **{**config, **more})


def asks_two(service: WebhookService) -> Receiver:
    return service.create_receiver("1a5", body("asks", 2))


@pytest.mark.parametrize(
    "change",
    [
        {"approval": None},
        {"approval": {"count": 1}},
        {"approval": {"count": 3}},
        {"approval": {"withinSeconds": 60}},
        {"stubConfig": {"target": "elsewhere"}},
    ],
)
def test_the_rule_of_a_receiver_and_its_target_are_its_owners(
    service: WebhookService, change: dict[str, Any]
) -> None:
    asks = asks_two(service)
    for role in (Role.MEMBER, Role.READONLY):
        with pytest.raises(RoleNotAllowed, match="webhook asks: its project's owner can do it"):
            service.update_receiver("1a5", asks.id, change, role=role)
    assert service.get_receiver("1a5", asks.id) == asks
    assert service.update_receiver("1a5", asks.id, change, role=Role.OWNER).version == 2


def test_a_receiver_with_a_rule_is_deleted_by_its_owner_alone(service: WebhookService) -> None:
    asks = asks_two(service)
    with pytest.raises(RoleNotAllowed):
        service.delete_receiver("1a5", asks.id, role=Role.MEMBER)
    with pytest.raises(NotFound):
        service.delete_receiver("other", asks.id, role=Role.MEMBER)
    service.delete_receiver("1a5", asks.id, role=Role.OWNER)


def test_a_member_changes_the_rest_of_a_receiver_with_a_rule(service: WebhookService) -> None:
    asks = asks_two(service)
    change = {"name": "renamed", "state": "suspended", "approval": {"count": 2}}
    assert service.update_receiver("1a5", asks.id, change, role=Role.MEMBER).name == "renamed"


@pytest.mark.parametrize("count", [None, 1])
def test_a_second_receiver_of_the_target_needs_the_rule_or_an_owner(
    service: WebhookService, count: int | None
) -> None:
    asks_two(service)
    with pytest.raises(RoleNotAllowed, match="change the target, with fewer approvals"):
        service.create_receiver("1a5", body("second", count), role=Role.MEMBER)
    assert service.create_receiver("1a5", body("as strict", 2), role=Role.MEMBER)
    assert service.create_receiver("1a5", body("elsewhere", count, "cart"), role=Role.MEMBER)
    assert service.create_receiver("other", body("foreign", count), role=Role.MEMBER)
    second = service.create_receiver("1a5", body("second", count), role=Role.OWNER)
    with pytest.raises(RoleNotAllowed):
        service.update_receiver("1a5", second.id, {"match": {"when": None}}, role=Role.MEMBER)


def test_a_receiver_cannot_be_pointed_at_the_target_of_another_ones_rule(
    service: WebhookService,
) -> None:
    asks_two(service)
    second = service.create_receiver("1a5", body("second", None, "cart"), role=Role.MEMBER)
    change = {"stubConfig": {"target": "shop"}}
    with pytest.raises(RoleNotAllowed):
        service.update_receiver("1a5", second.id, change, role=Role.MEMBER)
    service.update_receiver("1a5", second.id, {"respond": "outcome"}, role=Role.MEMBER)


def test_a_driver_that_names_no_targets_is_compared_by_its_slots(service: WebhookService) -> None:
    def of_slot(name: str, target: str, **more: Any) -> dict[str, Any]:
        config = {"slotOnlyConfig": {"target": target}}
        return {"name": name, "driver": "slotOnly", "verify": UNSIGNED, **config, **more}

    service.create_receiver("1a5", of_slot("asks", "shop", approval={"count": 1}))
    with pytest.raises(RoleNotAllowed):
        service.create_receiver("1a5", of_slot("second", "shop"), role=Role.MEMBER)
    assert service.create_receiver("1a5", of_slot("second", "cart"), role=Role.MEMBER)
    # Without a slot of its own, a receiver shares it with nobody.
    service.create_receiver("1a5", of_slot("none", "", approval={"count": 1}))
    assert service.create_receiver("1a5", of_slot("none too", ""), role=Role.MEMBER)


DEPLOYMENT = {"namespace": "shop", "name": "shop"}
SHOP = (DeploymentUpdate, DEPLOYMENT)


@pytest.mark.parametrize(
    ("driver", "config", "same"),
    [
        (*SHOP, True),
        (DeploymentUpdate, {**DEPLOYMENT, "strategy": {"type": "recreate"}}, True),
        (DeploymentUpdate, {"namespace": "shop", "selector": {"app": "shop"}}, True),
        (ServiceUpgrade, {"namespace": "shop", "serviceSelector": {"a": "b"}, "tag": "1"}, True),
        (Restart, DEPLOYMENT, True),
        (DeploymentUpdate, {**DEPLOYMENT, "name": "cart"}, False),
        (DeploymentUpdate, {**DEPLOYMENT, "namespace": "cart"}, False),
        (DeploymentUpdate, {**DEPLOYMENT, "kind": "StatefulSet"}, False),
        (DeploymentUpdate, {**DEPLOYMENT, "cluster": "stage"}, False),
        (
            DeploymentUpdate,
            {"namespace": "shop", "selector": {"a": "b"}, "kind": "CronJob"},
            False,
        ),
        (JobRun, {"namespace": "shop", "cronJob": "shop", "container": "shop"}, False),
    ],
)
def test_drivers_of_clusters_agree_on_what_a_target_is(
    driver: type[WebhookDriver[Any, Any]], config: dict[str, Any], same: bool
) -> None:
    def places(driver: type[WebhookDriver[Any, Any]], config: dict[str, Any]) -> tuple[str, ...]:
        return driver().targets(driver.Config.model_validate(config), sample_context())

    assert overlap(places(driver, config), places(*SHOP)) is same
    assert overlap(places(*SHOP), places(driver, config)) is same
