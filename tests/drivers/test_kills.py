"""Every push survives a kill at every single call to the cluster.

Each case is run again and again, killed at the first call, the second, and so on, before the call
and after it, and goes on with the state that was recorded last or with none.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.drivers.kills import MAX_CALLS, DeadlyClusters, Run
from tests.drivers.steps import (
    Clock,
    config,
    context,
    images_of,
    push,
    wait_until_settled,
    workload,
)
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_service import Done, DriverError, Outcome
from webhook_service.testing import FakeCluster


@dataclass(frozen=True)
class Case:
    """A push, and how often it may change the spec in all."""

    changes: int
    kind: str = "Deployment"
    tag: str = "2"
    strategy: dict[str, Any] = field(default_factory=dict)

    @property
    def fails(self) -> bool:
        return "bad" in self.tag


RECREATE = {"type": "recreate"}
RESTORING = {"type": "recreate", "restoreStrategy": True}
CASES = {
    "rolling": Case(1),
    "rolling-limits": Case(1, strategy={"maxSurge": 0, "maxUnavailable": 1}),
    "rolling-undone": Case(2, tag="bad"),
    "rolling-stateful": Case(1, "StatefulSet"),
    "rolling-stateful-undone": Case(2, "StatefulSet", "bad"),
    "rolling-daemons": Case(1, "DaemonSet"),
    "rolling-jobs": Case(1, "CronJob"),
    "recreate": Case(1, strategy=RECREATE),
    "recreate-restored": Case(2, strategy=RESTORING),
    "recreate-undone": Case(3, tag="bad", strategy=RESTORING),
    "recreate-stateful": Case(2, "StatefulSet", strategy=RECREATE),
    "recreate-stateful-undone": Case(4, "StatefulSet", "bad", RECREATE),
}


@pytest.mark.parametrize("keeps_state", [True, False], ids=["state", "no-state"])
@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", CASES)
def test_a_push_that_is_killed_at_any_call_ends_as_if_it_were_not(
    fake: FakeCluster,
    clusters: DeadlyClusters,
    clock: Clock,
    name: str,
    sent: bool,
    keeps_state: bool,
) -> None:
    case = CASES[name]
    driver = DeploymentUpdate(clusters=clusters, now=clock)
    for call in range(1, MAX_CALLS):
        target = f"shop-{call}"
        start(fake, case.kind, target)
        settings = config(
            name=target, kind=case.kind, strategy=case.strategy, rollbackOnFailure=case.fails
        )
        clusters.arm(call, sent)
        run = Run(driver, settings, push(case.tag), context(call), clock, keeps_state)
        ended = run.to_the_end()
        check_end(fake, case, target, ended)
        fake.delete(case.kind, "default", target)
        if not run.killed:
            return
    raise AssertionError(f"more than {MAX_CALLS} calls")


def start(fake: FakeCluster, kind: str, name: str, chosen_by: dict[str, str] | None = None) -> None:
    labels = {"app": name}
    body = workload(kind)
    body["metadata"] |= {"name": name, "labels": chosen_by or labels}
    if kind != "CronJob":
        body["spec"]["selector"] = {"matchLabels": labels}
        body["spec"]["template"]["metadata"]["labels"] = labels
    fake.apply(body)
    wait_until_settled(fake, kind, name)


def check_end(fake: FakeCluster, case: Case, name: str, ended: Outcome | DriverError) -> None:
    found = fake.get(case.kind, "default", name)
    if case.fails:
        assert isinstance(ended, DriverError) and ended.reason == "rolled_back", ended
    else:
        assert isinstance(ended, Done), ended
        assert [change.after for change in ended.changes if "image" in change.field] == [
            f"acme/shop:{case.tag}"
        ]
    assert images_of(found)["app"] == ("acme/shop:1" if case.fails else f"acme/shop:{case.tag}")
    assert found["metadata"]["generation"] == 1 + case.changes
    assert found["spec"].get("replicas", 2) == 2
    if case.strategy == RESTORING:
        assert found["spec"]["strategy"]["type"] == "RollingUpdate"
    wait_until_settled(fake, case.kind, name)


@pytest.mark.parametrize("keeps_state", [True, False], ids=["state", "no-state"])
@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
def test_a_push_for_many_that_is_killed_at_any_call_changes_each_once(
    fake: FakeCluster, clusters: DeadlyClusters, clock: Clock, sent: bool, keeps_state: bool
) -> None:
    driver = DeploymentUpdate(clusters=clusters, now=clock)
    names = ("shop", "blog", "wiki")
    for call in range(1, MAX_CALLS):
        labels = {"round": f"r{call}"}
        for name in names:
            start(fake, "Deployment", name, labels)
        clusters.arm(call, sent)
        settings = config(name=None, selector=labels)
        run = Run(driver, settings, push("2"), context(call), clock, keeps_state)
        ended = run.to_the_end()
        assert isinstance(ended, Done)
        assert {c.target for c in ended.changes} == {f"Deployment default/{n}" for n in names}
        for name in names:
            found = fake.get("Deployment", "default", name)
            assert images_of(found)["app"] == "acme/shop:2"
            assert found["metadata"]["generation"] == 2
            fake.delete("Deployment", "default", name)
        if not run.killed:
            return
    raise AssertionError(f"more than {MAX_CALLS} calls")
