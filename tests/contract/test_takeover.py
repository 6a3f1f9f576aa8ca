"""Newer pushes and rollbacks during a rollout, through the whole service and on both clusters."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.client import Client, eventually
from tests.contract.conftest import Cluster
from tests.contract.deployed import Deployed, serving
from tests.contract.shop import Shop as Target
from tests.drivers.strategies.colours import Shop
from tests.support import PROJECT, wait_for, wait_for_end
from webhook_service import Execution, WebhookService
from webhook_service.model.history.revision import Standing

CANARY = {"type": "canary", "service": "shop", "steps": [{"weight": 30, "pauseSeconds": 600}]}


@pytest.fixture
def service(cluster: Cluster, tmp_path: Path) -> Iterator[WebhookService]:
    with serving(cluster.kubeconfig, tmp_path) as service:
        yield service


@pytest.fixture
def shop(cluster: Cluster, client: Client, namespace: str) -> Shop:
    shop = Shop(client, cluster.kubeconfig, namespace)
    shop.start(minReadySeconds=1)  # so that a rollout is under way for a while
    return shop


@pytest.fixture
def deploy(service: WebhookService, client: Client, namespace: str, shop: Shop) -> Any:
    target = Target(client, namespace)
    return lambda **config: Deployed(service, target, timeoutSeconds=60, **config)


BLUE_GREEN = {"type": "blueGreen", "service": "shop", "keepSeconds": 600}


def get(deployed: Deployed, execution: str) -> Execution:
    return deployed.service.get_execution(PROJECT, execution)


def begun(deployed: Deployed, tag: str, says: str = "") -> str:
    """A push whose rollout is followed, and says so."""
    execution = deployed.begin(tag)

    def follows() -> bool:
        found = get(deployed, execution)
        return bool(found.changes) and found.state == "waiting" and says in found.message

    wait_for(follows, 60)
    return execution


def test_a_rollback_during_a_rollout_that_hangs_goes_to_the_last_good_image(
    deploy: Any, shop: Shop
) -> None:
    deployed = deploy()
    assert deployed.push("2").state == "succeeded"
    bad = begun(deployed, "bad")
    back = deployed.roll_back()
    assert back.state == "succeeded", back.message
    ended = get(deployed, bad)
    assert (ended.state, ended.superseded_by) == ("superseded", back.id)
    shop.assert_at_rest("acme/shop:2")


def test_a_rollback_during_a_canary_takes_its_pods_away_and_changes_nothing_else(
    deploy: Any, shop: Shop
) -> None:
    deployed = deploy(strategy=CANARY)
    bad = begun(deployed, "2", "the next step is in")
    back = deployed.roll_back()
    ended = wait_for_end(deployed.service, bad)
    assert back.state in ("succeeded", "unchanged"), back.message
    assert ended.state == "superseded" and "was withdrawn" in ended.message
    shop.assert_at_rest("acme/shop:1", "shop-canary")


def test_a_refused_push_gives_the_rollout_back_to_the_one_that_it_wanted_to_take_over(
    deploy: Any, shop: Shop
) -> None:
    shop.patch("Deployment", {"spec": {"minReadySeconds": 3}})
    deployed = deploy()
    older = begun(deployed, "2")
    shop.patch("Deployment", {"spec": {"paused": True}})
    refused = deployed.push("3")
    assert (refused.state, refused.reason) == ("failed", "paused")
    shop.patch("Deployment", {"spec": {"paused": False}})
    ended = wait_for_end(deployed.service, older)
    assert ended.state == "succeeded", ended.message
    eventually(lambda: shop.assert_at_rest("acme/shop:2") is None)


@pytest.mark.parametrize("cancelled", [False, True], ids=["under way", "cancelled by force"])
@pytest.mark.parametrize("other", [{"type": "rolling"}, CANARY], ids=["rolling", "canary"])
def test_a_rollback_takes_back_what_green_serves_although_the_receiver_has_another_strategy_now(
    deploy: Any, shop: Shop, other: dict[str, Any], cancelled: bool
) -> None:
    deployed = deploy(strategy=BLUE_GREEN)
    pushed = begun(deployed, "2", "is kept for")
    if cancelled:
        deployed.service.interventions.cancel(PROJECT, pushed, force=True)
    own = {"namespace": shop.namespace, "name": "shop", "strategy": other}
    deployed.service.update_receiver(PROJECT, deployed.receiver, {"deploymentUpdateConfig": own})
    (seen,) = deployed.history()
    assert (seen.live, seen.standing) == (True, Standing.LIVE), seen.note
    back = deployed.roll_back()
    assert back.state == "succeeded", back.message
    shop.assert_at_rest("acme/shop:1")
    assert deployed.history()[-1].held
