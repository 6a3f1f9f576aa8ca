from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.contract.client import MERGE, Client
from tests.contract.manifests import resource
from tests.drivers.steps import SHA, config, context, images_of, push, template_of, workload
from webhook_drivers.kubernetes.drivers.deployment_update import (
    DeploymentUpdate,
    DeploymentUpdateConfig,
)
from webhook_service import (
    Context,
    Done,
    DriverError,
    Interruption,
    InvalidConfig,
    Outcome,
    TargetConflict,
    Unchanged,
    Wait,
)
from webhook_service.testing import FakeCluster, definition, sample_context

NEW = f"acme/shop:2@{SHA}"
ARGO = {"kind": "Rollout", "apiVersion": "argoproj.io/v1alpha1", "plural": "rollouts"}


class Delegated:
    """A Rollout, or a Deployment with its Canary; the test plays their controllers."""

    def __init__(self, fake: FakeCluster, client: Client) -> None:
        self.fake, self.client = fake, client
        for kind in ("Rollout", "Canary"):
            fake.apply(definition(kind))

    def rollout(self, **spec: Any) -> None:
        body = workload(**spec) | {"kind": "Rollout", "apiVersion": ARGO["apiVersion"]}
        self.fake.apply(body)
        self.report("Rollout", phase="Healthy")

    def deployment(self, target: str = "shop") -> None:
        self.fake.apply(workload())
        spec = {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}}
        metadata = {"name": "shop", "namespace": "default"}
        self.fake.apply({"kind": "Canary", "metadata": metadata, "spec": spec})
        self.report("Canary", phase="Initialized", lastAppliedSpec="one")

    def report(self, kind: str, **status: Any) -> None:
        """What the controller writes; a Rollout's has seen the newest spec, in its own way."""
        if kind == "Rollout":
            generation = self.fake.get(kind, "default", "shop")["metadata"]["generation"]
            status |= {"observedGeneration": str(generation)}
        spec = definition(kind)["spec"]
        version = f"{spec['group']}/{spec['versions'][0]['name']}"
        path = resource(version, spec["names"]["plural"], "default", "shop")
        self.client.ok("PATCH", f"{path}/status", {"status": status}, MERGE)

    def image(self, kind: str) -> str:
        return images_of(self.fake.get(kind, "default", "shop"))["app"]


@pytest.fixture
def shop(fake: FakeCluster, tmp_path: Path) -> Iterator[Delegated]:
    with Client(fake.write_kubeconfig(tmp_path / "shop")) as client:
        yield Delegated(fake, client)


def delegate(target: dict[str, Any], **more: Any) -> DeploymentUpdateConfig:
    return config(**(target | {"strategy": {"type": "delegate"}} | more))


class Follower:
    """One push that a test brings on step by step."""

    def __init__(
        self,
        driver: DeploymentUpdate,
        settings: DeploymentUpdateConfig,
        at: Context,
        tag: str = "2",
    ) -> None:
        self.driver, self.settings, self.at = driver, settings, at
        self.event = push(tag, SHA)

    def step(self) -> Outcome:
        outcome = self.driver.execute(self.settings, self.event, self.at)
        if isinstance(outcome, Wait):
            self.at = replace(self.at, state=outcome.state)
        return outcome

    def abort(self) -> Outcome:
        outcome = self.driver.interrupt(self.settings, self.event, self.at, Interruption.ABORT)
        if isinstance(outcome, Wait):
            self.at = replace(self.at, state=outcome.state)
        return outcome

    def waits(self, says: str) -> Wait:
        outcome = self.step()
        assert isinstance(outcome, Wait) and says in outcome.message, outcome
        return outcome


@pytest.fixture
def argo(driver: DeploymentUpdate, shop: Delegated) -> Follower:
    shop.rollout()
    return Follower(driver, delegate(ARGO), context(1))


@pytest.fixture
def flagger(driver: DeploymentUpdate, shop: Delegated) -> Follower:
    shop.deployment()
    return Follower(driver, delegate({}), context(1))


def test_a_rollout_is_followed_to_its_health(argo: Follower, shop: Delegated) -> None:
    before = template_of(shop.fake.get("Rollout", "default", "shop"))
    argo.waits("waiting for Argo Rollouts to see the change")
    assert shop.image("Rollout") == NEW
    shop.report("Rollout", phase="Progressing", message="more replicas need to be updated")
    argo.waits("the Rollout is Progressing: more replicas need to be updated")
    shop.report("Rollout", phase="Paused", message="CanaryPauseStep")
    argo.waits("kubectl argo rollouts promote shop")
    shop.report("Rollout", phase="Healthy", availableReplicas=2)
    assert isinstance(argo.step(), Done)
    before["spec"]["containers"][0]["image"] = NEW
    assert template_of(shop.fake.get("Rollout", "default", "shop")) == before


@pytest.mark.parametrize("status", [{"phase": "Degraded"}, {"phase": "Degraded", "abort": True}])
def test_a_rollout_that_failed_is_a_failure(
    argo: Follower, shop: Delegated, status: dict[str, Any]
) -> None:
    argo.step()
    shop.report("Rollout", message="metric failed", **status)
    with pytest.raises(DriverError, match="metric failed") as caught:
        argo.step()
    assert caught.value.reason == "rollout_failed"


def test_a_rollout_that_failed_is_undone_and_held(
    driver: DeploymentUpdate, shop: Delegated
) -> None:
    shop.rollout()
    settings = delegate(ARGO, rollbackOnFailure=True)
    follower = Follower(driver, settings, context(1))
    follower.step()
    shop.report("Rollout", phase="Degraded", message="metric failed")
    follower.waits("rolling back")
    assert shop.image("Rollout") == "acme/shop:1"
    shop.report("Rollout", phase="Healthy")
    with pytest.raises(DriverError, match="rolled back to acme/shop:1"):
        follower.step()
    replay = driver.execute(settings, push("2", SHA), context(2, identity="push-1"))
    assert isinstance(replay, Unchanged)


def test_a_pause_of_a_rollout_has_no_deadline(argo: Follower, shop: Delegated, clock: Any) -> None:
    argo.step()
    shop.report("Rollout", phase="Paused")
    for _ in range(60):
        clock.ahead += 60
        assert argo.waits("Paused").state["phase"] == "rolling"


def test_an_abort_of_a_rollout_in_its_pause_gives_the_traffic_back_at_once(
    argo: Follower, shop: Delegated
) -> None:
    argo.step()
    shop.report("Rollout", phase="Paused", message="CanaryPauseStep")
    going = argo.abort()
    assert isinstance(going, Wait), going
    live = shop.fake.get("Rollout", "default", "shop")
    assert live["status"]["abort"] is True, "the old pods get all traffic before others start"
    assert shop.image("Rollout") == "acme/shop:1"
    shop.report("Rollout", phase="Healthy", message="", abort=False, availableReplicas=2)
    ended = argo.abort()
    assert isinstance(ended, Done) and "was aborted" in ended.message
    assert "runs acme/shop:1" in ended.message


def test_an_abort_goes_back_by_the_template_where_the_status_may_not_be_written(
    argo: Follower, shop: Delegated
) -> None:
    argo.step()
    shop.report("Rollout", phase="Paused")
    shop.fake.deny("patch", "rollouts/status")
    assert isinstance(argo.abort(), Wait)
    assert shop.image("Rollout") == "acme/shop:1"
    assert "abort" not in shop.fake.get("Rollout", "default", "shop")["status"]


def test_an_abort_gives_a_deployment_of_flagger_its_old_image(
    flagger: Follower, shop: Delegated
) -> None:
    flagger.step()
    shop.report("Canary", phase="Progressing", canaryWeight=20, lastAppliedSpec="two")
    ended = flagger.abort()
    assert isinstance(ended, Done) and "runs acme/shop:1" in ended.message
    assert shop.image("Deployment") == "acme/shop:1"


def test_a_rollout_without_a_template_is_refused(driver: DeploymentUpdate, shop: Delegated) -> None:
    shop.rollout(workloadRef={"kind": "Deployment", "name": "shop"})
    with pytest.raises(InvalidConfig, match="takes its pods from the Deployment shop"):
        driver.validate(delegate(ARGO), sample_context())


def test_a_canary_is_followed_to_its_success(flagger: Follower, shop: Delegated) -> None:
    flagger.waits("waiting for Flagger to see the change")
    assert shop.image("Deployment") == NEW
    shop.report("Canary", phase="Progressing", lastAppliedSpec="two", canaryWeight=20)
    flagger.waits("the Canary is Progressing, at 20 %")
    shop.report("Canary", phase="WaitingPromotion")
    flagger.waits("WaitingPromotion")
    shop.report("Canary", phase="Succeeded", canaryWeight=0)
    outcome = flagger.step()
    assert isinstance(outcome, Done) and outcome.message.startswith("Flagger promoted")


def test_the_success_before_the_push_does_not_count(flagger: Follower, shop: Delegated) -> None:
    shop.report("Canary", phase="Succeeded", lastAppliedSpec="one")
    flagger.waits("waiting for Flagger to see the change")
    flagger.at = context(1)  # the state is lost
    flagger.waits("waiting for Flagger to see the change")
    shop.report("Canary", phase="Succeeded", lastAppliedSpec="two")
    assert isinstance(flagger.step(), Done)


def test_a_canary_that_failed_is_undone_and_held(driver: DeploymentUpdate, shop: Delegated) -> None:
    shop.deployment()
    follower = Follower(driver, delegate({}, rollbackOnFailure=True), context(1))
    follower.step()
    shop.report("Canary", phase="Failed", lastAppliedSpec="two")
    with pytest.raises(DriverError, match="rolled back to acme/shop:1"):
        follower.step()
    assert shop.image("Deployment") == "acme/shop:1"


def test_a_rollback_to_what_is_promoted_is_done_at_once(flagger: Follower, shop: Delegated) -> None:
    flagger.step()
    shop.report("Canary", phase="Failed", lastAppliedSpec="two")
    with pytest.raises(DriverError):
        flagger.step()
    back = context(2, identity="push-0", rolls_back="push-1")
    driver, settings = flagger.driver, flagger.settings
    assert isinstance(driver.execute(settings, push("1"), back), Done)
    assert shop.image("Deployment") == "acme/shop:1"


def test_a_deployment_without_a_canary_is_refused(
    driver: DeploymentUpdate, shop: Delegated, fake: FakeCluster
) -> None:
    fake.apply(workload())
    with pytest.raises(InvalidConfig, match='canaries.flagger.app "shop" in namespace default'):
        driver.validate(delegate({}), sample_context())
    shop.deployment("other")
    with pytest.raises(InvalidConfig, match="takes care of Deployment other"):
        driver.validate(delegate({}), sample_context())
    with pytest.raises(DriverError, match="takes care of Deployment other"):
        driver.execute(delegate({}), push("2", SHA), context(1))
    assert shop.image("Deployment") == "acme/shop:1"


def test_somebody_elses_image_meanwhile_is_kept(flagger: Follower, shop: Delegated) -> None:
    flagger.step()
    shop.fake.apply(workload(image="acme/shop:hotfix"))
    with pytest.raises(TargetConflict):
        flagger.step()


@pytest.mark.parametrize("target", [{"kind": "StatefulSet"}, {"kind": "CronJob"}])
def test_other_kinds_have_nobody_to_delegate_to(target: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="no other controller to follow"):
        delegate(target)
