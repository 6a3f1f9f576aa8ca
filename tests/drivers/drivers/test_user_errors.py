"""What users get wrong ends in one clear sentence that says what to do."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.drivers.steps import Clock, config, context, images_of, push, run_to_end, workload
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_service import DriverError, Wait
from webhook_service.testing import FakeCluster

POLICY = 'admission webhook "policy.example" denied the request: images need a signature'


def nothing(fake: FakeCluster) -> None:
    """The cluster is as it should be."""


def quota(fake: FakeCluster) -> None:
    spec = {"hard": {"pods": "2"}}
    fake.apply(
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": spec}
    )


def without(verb: str, resource: str, message: str = "") -> Callable[[FakeCluster], None]:
    return lambda fake: fake.deny(verb, resource, message=message)


@dataclass(frozen=True)
class Mistake:
    """What is wrong, the code it ends with, and parts of the sentence in their order."""

    code: str
    says: tuple[str, ...]
    given: Callable[[FakeCluster], None] = nothing
    settings: dict[str, Any] = field(default_factory=dict)
    tag: str = "2"
    repository: str = "acme/shop"


MISTAKES = {
    "no such namespace": Mistake(
        "not_found",
        ('deployments.apps "shop" in namespace nowhere was not found', "create it, or correct"),
        settings={"namespace": "nowhere"},
    ),
    "no such workload": Mistake(
        "not_found",
        ('deployments.apps "ship"', "was not found: create it, or correct the receiver"),
        settings={"name": "ship"},
    ),
    "no such container": Mistake(
        "container_not_found",
        ("has no container web (it has migrate, app, proxy)", "correct `containers`"),
        settings={"containers": ["web"]},
    ),
    "no right to read": Mistake(
        "forbidden",
        ('Not allowed to get deployments.apps "shop" in namespace default', "bind the Role"),
        given=without("get", "deployments"),
    ),
    "no right to change": Mistake(
        "forbidden",
        ('Not allowed to patch deployments.apps "shop" in namespace default', "bind the Role"),
        given=without("patch", "deployments"),
    ),
    "no right to list": Mistake(
        "forbidden",
        ("Not allowed to list deployments.apps", "in namespace default", "bind the Role"),
        given=without("list", "deployments"),
        settings={"name": None, "selector": {"app": "shop"}},
    ),
    "refused by admission": Mistake(
        "policy_denied",
        ("A policy of the cluster does not let us patch", "images need a signature"),
        given=without("patch", "deployments", POLICY),
    ),
    "no quota left": Mistake(
        "rollout_timeout",
        ("did not complete", "exceeded quota", "Look at it and its pods (kubectl -n default"),
        given=quota,
    ),
    "an image that cannot be pulled": Mistake(
        "rollout_timeout",
        ("did not complete within 20 s", "ImagePullBackOff", "acme/shop:bad", "then push again"),
        tag="bad",
    ),
    "an image that cannot be pulled, undone": Mistake(
        "rolled_back",
        ("ImagePullBackOff", "It was rolled back to acme/shop:1: push a newer image"),
        settings={"rollbackOnFailure": True},
        tag="bad",
    ),
    "another repository": Mistake(
        "conflict",
        (
            "No container of Deployment default/shop runs docker.io/acme/ship",
            "correct the receiver",
        ),
        repository="acme/ship",
    ),
    "labels that nothing has": Mistake(
        "conflict",
        ("None of 0 deployments of namespace default with app=x", "correct the selector"),
        settings={"name": None, "selector": {"app": "x"}},
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_ends_in_one_clear_sentence(
    driver: DeploymentUpdate, fake: FakeCluster, clock: Clock, name: str
) -> None:
    mistake = MISTAKES[name]
    fake.apply(workload())
    mistake.given(fake)

    def hurry(wait: Wait) -> None:
        stuck = "exceeded" in wait.message or mistake.tag == "bad"
        clock.ahead += 25 if stuck and "rolling back" not in wait.message else 0

    event = push(mistake.tag, repository=mistake.repository)
    with pytest.raises(DriverError) as caught:
        run_to_end(driver, config(**mistake.settings), event, context(1), hurry)
    assert caught.value.reason == mistake.code
    rest = caught.value.message
    for part in mistake.says:
        assert part in rest, caught.value.message
        rest = rest.partition(part)[2]
    assert len(caught.value.message) < 1000 and "\n" not in caught.value.message
    assert "Traceback" not in caught.value.message
    fake.allow_all()
    changed = caught.value.reason == "rollout_timeout"
    image = images_of(fake.get("Deployment", "default", "shop"))["app"]
    assert image == (f"acme/shop:{mistake.tag}" if changed else "acme/shop:1")
