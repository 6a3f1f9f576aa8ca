"""Following a rollout over the life of a connection, on the fake cluster."""

import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from tests.drivers.steps import Clock, config, context, push, workload
from tests.drivers.watching.test_watches import threads
from tests.support import wait_for
from webhook_drivers.kubernetes.api.clusters import Clusters
from webhook_drivers.kubernetes.api.resources import Address
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_drivers.kubernetes.images.stopwatch import LONGEST_WATCHED_WAIT, LOOK_AT_PODS
from webhook_drivers.kubernetes.images.workloads import WORKLOADS
from webhook_service import Done, Wait
from webhook_service.testing import FakeCluster

SHOP = Address(WORKLOADS["Deployment"].resource, "default", "shop")


def test_a_new_kubeconfig_ends_the_watches_of_the_old_one(
    fake: FakeCluster, tmp_path: Path
) -> None:
    fake.apply(workload())
    path, woken = fake.write_kubeconfig(tmp_path / "config"), threading.Semaphore(0)
    with closing(Clusters({"kubeconfig": str(path)})) as clusters, FakeCluster(token="b") as other:
        assert clusters.get().follow(SHOP, "exe", woken.release, begin=True)
        wait_for(lambda: clusters.get().watched(SHOP))
        assert woken.acquire(timeout=30)
        assert clusters.get().follow(SHOP, "exe", woken.release, begin=True)
        (old,) = threads()
        other.write_kubeconfig(path)
        cluster = clusters.get()
        assert woken.acquire(timeout=30)
        old.join(30)
        assert not old.is_alive() and cluster.watched(SHOP) is None
        other.apply(workload(image="acme/shop:other"))
        assert cluster.follow(SHOP, "exe", woken.release, begin=True)
        found = wait_for(lambda: cluster.watched(SHOP))
        assert "acme/shop:other" in str(found)
    assert threads() == []


def test_a_rollout_that_nothing_is_heard_of_is_looked_at_less_and_less_often_until_its_end(
    fake: FakeCluster, clock: Clock, driver: DeploymentUpdate
) -> None:
    fake.apply(workload())
    here, settings, pauses = context(1, wake=lambda: None), config(timeoutSeconds=300), [0.0]
    outcome = driver.execute(settings, push("bad"), here)
    # The pods get there by the real clock.
    wait_for(lambda: "ImagePullBackOff" in str(fake.list("Pod")))
    while isinstance(outcome, Wait) and clock.ahead + outcome.after < 280:
        pauses.append(outcome.after)
        clock.ahead += outcome.after
        here = replace(here, state=outcome.state)
        outcome = driver.execute(settings, push("bad"), here)
    first, *later = pauses[1:]
    assert first == LOOK_AT_PODS and max(later) == LONGEST_WATCHED_WAIT
    assert isinstance(outcome, Wait) and "ImagePullBackOff" in outcome.message
    assert clock.ahead + outcome.after <= 301


def test_many_neighbours_cost_no_memory_and_one_thread(
    fake: FakeCluster, driver: DeploymentUpdate
) -> None:
    for number in range(300):
        other = workload(replicas=0)
        other["metadata"]["name"] = f"other-{number}"
        fake.apply(other)
    fake.apply(workload())
    here, woken = context(1), threading.Event()
    here = replace(here, wake=woken.set)
    outcome = driver.execute(config(), push("2"), here)
    while isinstance(outcome, Wait):
        assert woken.wait(30)
        woken.clear()
        outcome = driver.execute(config(), push("2"), replace(here, state=outcome.state))
    assert isinstance(outcome, Done)
    (watch,) = driver._clusters.get().transport.watches._watches.values()
    assert list(watch.followed._objects) == ["shop"] and len(threads()) == 1
