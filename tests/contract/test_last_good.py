"""A rollback goes to the last good revision, and the history says what really runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.client import Client, eventually
from tests.contract.conftest import Cluster
from tests.contract.deployed import Deployed, create, serving
from tests.contract.shop import Shop
from tests.support import PROJECT, wait_for, wait_for_end
from webhook_service import WebhookService
from webhook_service.model.history.revision import BY_HAND, Standing


@pytest.fixture
def service(cluster: Cluster, tmp_path: Path) -> Iterator[WebhookService]:
    with serving(cluster.kubeconfig, tmp_path) as service:
        yield service


@pytest.fixture
def deployed(service: WebhookService, shop: Shop) -> Deployed:
    shop.create(progressDeadlineSeconds=1)
    return Deployed(service, shop)


def test_after_a_failed_push_the_way_back_is_the_last_good_one(deployed: Deployed) -> None:
    assert deployed.push("1.1").state == "succeeded"
    assert deployed.push("bad").reason == "rollout_failed"
    bad, good = deployed.history()
    assert (bad.live, bad.standing, good.live) == (True, Standing.LIVE, False)
    assert deployed.roll_back().state == "succeeded"
    assert deployed.image() == "acme/shop:1.1"
    back, bad, good = deployed.history()
    assert (good.live, good.standing, bad.held) == (True, Standing.LIVE, True)
    assert back.execution.rolls_back == bad.execution.identity


def test_after_a_first_push_that_failed_the_way_back_is_what_was_there(deployed: Deployed) -> None:
    assert deployed.push("bad").state == "failed"
    assert deployed.roll_back().state == "succeeded"
    assert deployed.image() == "acme/shop:1"


def test_two_failed_pushes_in_a_row_are_both_passed_over(deployed: Deployed) -> None:
    for tag in ("1.1", "bad-1", "bad-2"):
        deployed.push(tag)
    deployed.roll_back()
    assert deployed.image() == "acme/shop:1.1"
    deployed.roll_back()
    assert deployed.image() == "acme/shop:1"


def test_a_push_that_gave_way_to_its_fix_is_passed_over(deployed: Deployed) -> None:
    deployed.push("1.1")
    hangs = deployed.begin("bad")
    wait_for(lambda: deployed.service.get_execution(PROJECT, hangs).changes)
    assert deployed.push("1.2").state == "succeeded"
    assert deployed.service.get_execution(PROJECT, hangs).state == "superseded"
    assert deployed.roll_back().state == "succeeded"
    assert deployed.image() == "acme/shop:1.1"


def test_a_rollout_is_not_undone_to_an_image_that_itself_failed(deployed: Deployed) -> None:
    deployed.push("1.1")
    assert deployed.push("bad-1").reason == "rollout_failed"
    own = {"namespace": deployed.shop.namespace, "name": "shop", "rollbackOnFailure": True}
    deployed.service.update_receiver(PROJECT, deployed.receiver, {"deploymentUpdateConfig": own})
    ended = deployed.push("bad-2")
    assert (ended.reason, deployed.image()) == ("rolled_back", "acme/shop:1.1"), ended.message


def test_a_push_that_was_cancelled_midway_is_undone(deployed: Deployed) -> None:
    deployed.push("1.1")
    deployed.cancel_when_changed("bad")
    assert deployed.history()[0].live
    assert deployed.roll_back().state == "succeeded"
    assert deployed.image() == "acme/shop:1.1"


def test_a_change_by_hand_is_named_and_undone(deployed: Deployed) -> None:
    pushed = deployed.push("1.1")
    deployed.set_image("acme/shop:hotfix")
    (revision,) = deployed.history()
    assert (revision.live, revision.standing) == (False, Standing.DRIFTED)
    assert "runs acme/shop:hotfix, set by kubectl-set at 20" in revision.note
    back = deployed.roll_back()
    assert (back.state, back.rolls_back) == ("succeeded", BY_HAND)
    assert deployed.image() == "acme/shop:1.1"
    again = deployed.service.interventions.replay(PROJECT, pushed.id)
    ended = wait_for_end(deployed.service, again.id)
    assert ended.state == "succeeded", "what was brought back is not held"


def test_after_an_undo_by_hand_the_older_one_is_live(deployed: Deployed) -> None:
    for tag in ("1.1", "1.2"):
        deployed.push(tag)
    deployed.set_image("acme/shop:1.1", "kubectl-rollout")
    newest, older = deployed.history()
    assert (newest.standing, newest.live, older.live) == (Standing.DRIFTED, False, True)
    deployed.roll_back()
    assert deployed.image() == "acme/shop:1"


def test_each_member_of_a_fleet_goes_back_to_its_own_image(
    service: WebhookService, shop: Shop, client: Client
) -> None:
    create(client, shop, "one", "acme/shop:1")
    create(client, shop, "two", "acme/shop:2")
    create(client, shop, "idle", "acme/shop:3", paused=True)
    fleet = Deployed(service, shop, selector={"tier": "web"})
    ended = fleet.push("9")
    assert (ended.state, ended.reason) == ("failed", "paused"), ended.message
    assert [fleet.image(name) for name in ("one", "two", "idle")] == [
        "acme/shop:9",
        "acme/shop:9",
        "acme/shop:3",
    ]
    assert fleet.roll_back().state == "succeeded"
    assert [fleet.image(name) for name in ("one", "two", "idle")] == [
        "acme/shop:1",
        "acme/shop:2",
        "acme/shop:3",
    ]


def test_a_fleet_that_was_cancelled_midway_goes_back_member_by_member(
    service: WebhookService, shop: Shop, client: Client
) -> None:
    create(client, shop, "one", "acme/shop:1")
    create(client, shop, "two", "acme/shop:2")
    fleet = Deployed(service, shop, selector={"tier": "web"})
    fleet.cancel_when_changed("bad")
    assert fleet.roll_back().state == "succeeded"
    assert [fleet.image(name) for name in ("one", "two")] == ["acme/shop:1", "acme/shop:2"]
    assert fleet.history()[-1].held


def test_a_member_that_was_set_right_goes_back_with_the_others_after_that(
    service: WebhookService, shop: Shop, client: Client
) -> None:
    for name in ("one", "two"):
        create(client, shop, name, "acme/shop:1")
    fleet = Deployed(service, shop, selector={"tier": "web"})
    fleet.push("9")
    fleet.set_image("acme/shop:hand", name="two")
    fleet.roll_back()
    assert [fleet.image(name) for name in ("one", "two")] == ["acme/shop:9"] * 2
    fleet.roll_back()
    assert [fleet.image(name) for name in ("one", "two")] == ["acme/shop:1"] * 2


def test_a_target_that_is_gone_is_unknown(deployed: Deployed, client: Client) -> None:
    deployed.push("1.1")
    client.ok("DELETE", deployed.shop.path())
    eventually(lambda: client.send("GET", deployed.shop.path()).code == 404)
    (revision,) = deployed.history()
    assert revision.standing is Standing.UNKNOWN
    assert "was not found" in revision.note
