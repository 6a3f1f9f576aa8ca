"""A CronJob as a target, through the whole service: history, drift and the way back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.client import MERGE, STRATEGIC, Client
from tests.contract.deployed import Deployed, serving
from tests.contract.shop import Shop
from tests.drivers.steps import images_of, workload
from tests.support import PROJECT, wait_for_end
from webhook_service.model.history.revision import Standing
from webhook_service.testing import FakeCluster

PATH = "/apis/batch/v1/namespaces/default/cronjobs/shop"


@pytest.fixture
def client(fake: FakeCluster, tmp_path: Path) -> Iterator[Client]:
    fake.apply(workload("CronJob"))
    with Client(fake.write_kubeconfig(tmp_path / "shop")) as client:
        yield client


@pytest.fixture
def deployed(fake: FakeCluster, client: Client, tmp_path: Path) -> Iterator[Deployed]:
    with serving(fake.write_kubeconfig(tmp_path / "kubeconfig"), tmp_path) as service:
        yield Deployed(service, Shop(client, "default"), kind="CronJob")


def image(fake: FakeCluster) -> str:
    return images_of(fake.get("CronJob", "default", "shop"))["app"]


def test_each_rollback_goes_one_image_further_back_and_holds_what_it_undoes(
    deployed: Deployed, fake: FakeCluster
) -> None:
    deployed.push("2")
    newest = deployed.push("3")
    for before in ("acme/shop:2", "acme/shop:1"):
        back = deployed.roll_back()
        assert back.state == "succeeded", back.message
        assert image(fake) == before and f"runs docker.io/{before}" in back.message
    again = deployed.service.interventions.replay(PROJECT, newest.id)
    ended = wait_for_end(deployed.service, again.id)
    assert ended.state == "unchanged" and "was rolled back" in ended.message


def test_an_image_set_by_hand_has_drifted_and_gives_way_to_the_pushed_one(
    deployed: Deployed, fake: FakeCluster, client: Client
) -> None:
    deployed.push("2")
    (live,) = deployed.history()
    assert (live.live, live.standing) == (True, Standing.LIVE)
    pod: dict[str, Any] = {"containers": [{"name": "app", "image": "acme/shop:hand"}]}
    template = {"template": {"spec": pod}}
    body = {"spec": {"jobTemplate": {"spec": template}}}
    client.ok("PATCH", PATH, body, STRATEGIC, {"fieldManager": "kubectl-edit"})
    (drifted,) = deployed.history()
    assert drifted.standing is Standing.DRIFTED
    assert "CronJob default/shop runs acme/shop:hand, set by kubectl-edit" in drifted.note
    assert deployed.roll_back().state == "succeeded"
    assert image(fake) == "acme/shop:2"


def test_a_cron_job_that_is_suspended_takes_the_image_and_is_told_so(
    deployed: Deployed, fake: FakeCluster, client: Client
) -> None:
    client.ok("PATCH", PATH, {"spec": {"suspend": True}}, MERGE)
    ended = deployed.push("2")
    assert ended.state == "succeeded" and "it is suspended" in ended.message
    assert image(fake) == "acme/shop:2"
