"""Drifts: an image that somebody took back is noticed, and told once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.client import Client
from tests.contract.deployed import Deployed, serving
from tests.contract.shop import Shop
from tests.support import PROJECT
from webhook_service.chores import drifts
from webhook_service.chores.drifts import Drifts
from webhook_service.model.pages import PageRequest
from webhook_service.model.people.audit import AuditAction
from webhook_service.people.looks import Looks
from webhook_service.service import WebhookService
from webhook_service.telemetry.observer import Drifted, Happening, Observer
from webhook_service.testing import FakeCluster

HOTFIX = "acme/shop:hotfix"


class Told(Observer):
    def __init__(self) -> None:
        self.drifts: list[Drifted] = []

    def tell(self, happening: Happening) -> None:
        if isinstance(happening, Drifted):
            self.drifts.append(happening)


@pytest.fixture
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    # The service's own turn at the chore would tell of a drift before the test's does.
    monkeypatch.setattr(WebhookService, "do_chores", lambda *_: None)
    with FakeCluster() as fake:
        path = fake.write_kubeconfig(tmp_path / "kubeconfig")
        with Client(path) as client, serving(path, tmp_path) as service:
            shop = Shop(client, "default")
            shop.create()
            yield Deployed(service, shop)


def one_pass(service: WebhookService, told: Observer) -> int:
    """All steps of the chore; how many drifts are new."""
    chore = Drifts(service.store, Looks(service.store, service._receivers, service.bounded), told)
    cursor, count = "", 0
    while True:
        step = chore.step(cursor)
        cursor, count = step.cursor, count + step.count
        if step.done:
            return count


def audited(service: WebhookService) -> list[tuple[str, str, object, object]]:
    entries = service.list_audit(
        PROJECT, PageRequest(filters={"action": AuditAction.TARGET_DRIFTED})
    )
    return [
        (entry.actor.name, entry.actor.via, entry.changes[0].before, entry.changes[0].after)
        for entry in entries.items
    ]


def test_an_image_that_was_taken_back_is_told_once(
    deployed: Deployed, caplog: pytest.LogCaptureFixture
) -> None:
    told, pushed = Told(), deployed.push("2")
    assert one_pass(deployed.service, told) == 0
    deployed.set_image(HOTFIX, "argocd-controller")
    assert [one_pass(deployed.service, told) for _ in range(2)] == [1, 0]
    (drift,) = told.drifts
    assert (drift.execution.id, drift.seen.image) == (pushed.id, HOTFIX)
    expected = ("argocd-controller", "target", "docker.io/acme/shop:2", HOTFIX)
    assert audited(deployed.service) == [expected]
    said = f"execution {pushed.id} was taken back: Deployment default/shop runs {HOTFIX}, set by"
    assert said in caplog.text


def test_another_image_and_another_push_are_told_anew(deployed: Deployed) -> None:
    told = Told()
    deployed.push("2")
    for image in (HOTFIX, "acme/shop:1"):
        deployed.set_image(image)
        assert one_pass(deployed.service, told) == 1
    deployed.push("3")
    assert one_pass(deployed.service, told) == 0
    deployed.set_image(HOTFIX)
    assert one_pass(deployed.service, told) == 1
    assert len(audited(deployed.service)) == 3


def test_a_rollback_is_no_drift(deployed: Deployed) -> None:
    for tag in ("2", "3"):
        deployed.push(tag)
    deployed.roll_back()
    assert one_pass(deployed.service, Told()) == 0


def test_what_was_deployed_long_ago_is_not_looked_after(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed.push("2")
    deployed.set_image(HOTFIX)
    monkeypatch.setattr(drifts, "YOUNG", -drifts.YOUNG)
    assert one_pass(deployed.service, Told()) == 0
