import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.drivers.faulty import kubeconfig, unused_url
from tests.drivers.steps import (
    OTHER_SHA,
    SHA,
    Clock,
    config,
    context,
    image_change,
    images_of,
    push,
    run_to_end,
    template_of,
    workload,
)
from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.resources import Address, Json
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_drivers.kubernetes.events.event import EventReason
from webhook_drivers.kubernetes.images.push_record import CHANGE_CAUSE, PUSH, PUSHES
from webhook_service import (
    Change,
    Done,
    DriverError,
    InvalidConfig,
    Retry,
    Superseded,
    TargetConflict,
    Unchanged,
    Wait,
)
from webhook_service.testing import FakeCluster, sample_context

KINDS = ("Deployment", "StatefulSet", "DaemonSet", "CronJob")
PUSH_FIELD = f"template.metadata.annotations[{PUSH}]"


def shop(fake: FakeCluster, kind: str = "Deployment") -> dict[str, Any]:
    return fake.get(kind, "default", "shop")


def writes(fake: FakeCluster, kind: str = "Deployment") -> int:
    """How often the spec was changed; a PATCH that met a conflict changed nothing."""
    generation: int = shop(fake, kind)["metadata"]["generation"]
    return generation - 1


def settle(fake: FakeCluster) -> None:
    """Wait until the controllers have seen the newest generation, and its pods run."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        seen = shop(fake)
        status = seen["status"]
        if status.get("availableReplicas") == status.get("updatedReplicas") == 2:
            if status.get("observedGeneration") == seen["metadata"]["generation"]:
                return
        time.sleep(0.01)
    raise AssertionError(shop(fake)["status"])


def start(fake: FakeCluster, **spec: Any) -> None:
    fake.apply(workload(**spec))
    settle(fake)


def reasons(driver: DeploymentUpdate, fake: FakeCluster) -> set[str]:
    """What the Events say, once the last of them is written: the driver is closed for that."""
    driver.close()
    return {event["reason"] for event in fake.list("Event", "default")} & set(EventReason)


def failure(driver: DeploymentUpdate, number: int = 2, tag: str = "2", **more: Any) -> DriverError:
    with pytest.raises(DriverError) as caught:
        run_to_end(driver, config(**more), push(tag), context(number))
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
def test_a_push_becomes_a_finished_rollout(
    driver: DeploymentUpdate, fake: FakeCluster, kind: str
) -> None:
    before = fake.apply(workload(kind))
    outcome = run_to_end(driver, config(kind=kind), push("2", SHA), context(1))
    assert isinstance(outcome, Done)
    assert outcome.changes == (image_change("acme/shop:1", f"acme/shop:2@{SHA}", kind),)
    assert f"docker.io/acme/shop:2@{SHA}" in outcome.message
    after = shop(fake, kind)
    assert images_of(after) == {
        "migrate": "acme/migrate:1",
        "app": f"acme/shop:2@{SHA}",
        "proxy": "envoy:1",
    }
    wanted = template_of(before)
    wanted["spec"]["containers"][0]["image"] = f"acme/shop:2@{SHA}"
    assert template_of(after) == wanted
    assert writes(fake, kind) == 1


def test_the_object_says_what_was_done_and_by_which_delivery(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    start(fake)
    run_to_end(driver, config(), push("2"), context(1))
    notes = shop(fake)["metadata"]["annotations"]
    assert notes[CHANGE_CAUSE] == "docker.io/acme/shop:2 by webhook-service, delivery dlv_1"
    record = json.loads(notes[PUSHES])["docker.io/acme/shop"]
    assert record["previous"] == {"app": "acme/shop:1"}
    assert reasons(driver, fake) == {"ImageUpdated", "RolloutComplete"}


def test_the_first_wait_is_short_and_later_ones_grow(
    driver: DeploymentUpdate, fake: FakeCluster, clock: Clock
) -> None:
    start(fake)
    first = driver.execute(config(timeoutSeconds=600), push("bad"), context(1))
    assert isinstance(first, Wait) and first.after <= 1
    assert json.loads(json.dumps(first.state)) == first.state
    clock.ahead = 60
    later = driver.execute(
        config(timeoutSeconds=600), push("bad"), replace(context(1), state=first.state)
    )
    assert isinstance(later, Wait) and later.after == 3


def test_what_runs_already_is_left_alone(driver: DeploymentUpdate, fake: FakeCluster) -> None:
    start(fake, image=f"acme/shop:2@{SHA}")
    outcome = driver.execute(config(), push("2", SHA), context(1))
    assert outcome == Unchanged(
        f"Deployment default/shop already runs docker.io/acme/shop:2@{SHA}."
    )
    assert writes(fake) == 0


@pytest.mark.parametrize("digest", [None, SHA])
def test_a_duplicate_changes_nothing(
    driver: DeploymentUpdate, fake: FakeCluster, digest: str | None
) -> None:
    start(fake)
    run_to_end(driver, config(), push("2", digest), context(1))
    version = shop(fake)["metadata"]["resourceVersion"]
    again = context(2, identity="push-1")
    assert isinstance(driver.execute(config(), push("2", digest), again), Unchanged)
    assert shop(fake)["metadata"]["resourceVersion"] == version


def test_the_same_tag_pushed_again_rolls_once(driver: DeploymentUpdate, fake: FakeCluster) -> None:
    start(fake, image="acme/shop:latest")
    outcome = run_to_end(driver, config(), push("latest"), context(1))
    assert isinstance(outcome, Done)
    assert outcome.changes == (Change("Deployment default/shop", PUSH_FIELD, None, "push-1"),)
    assert shop(fake)["metadata"]["generation"] == 2
    outcome = driver.execute(config(), push("latest"), context(2, identity="push-1"))
    assert isinstance(outcome, Unchanged)
    assert isinstance(run_to_end(driver, config(), push("latest"), context(3)), Done)
    assert shop(fake)["metadata"]["generation"] == 3


def test_with_a_digest_the_template_gets_no_annotation(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    start(fake)
    run_to_end(driver, config(), push("2", SHA), context(1))
    assert "annotations" not in template_of(shop(fake))["metadata"]
    run_to_end(driver, config(pin=False), push("2", OTHER_SHA), context(2))
    assert images_of(shop(fake))["app"] == "acme/shop:2"
    assert template_of(shop(fake))["metadata"]["annotations"] == {PUSH: "push-2"}


def test_an_older_push_is_superseded(driver: DeploymentUpdate, fake: FakeCluster) -> None:
    start(fake)
    run_to_end(driver, config(), push("3"), context(3))
    with pytest.raises(Superseded, match="delivery dlv_3"):
        driver.execute(config(), push("2"), context(2))
    assert images_of(shop(fake))["app"] == "acme/shop:3"


def order_key(seconds: float) -> str:
    return f"{int((time.time() + seconds) * 1e6):017d}-000000000001"


def test_a_push_that_a_wrong_clock_dated_far_ahead_freezes_nothing(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    start(fake)
    run_to_end(driver, config(), push("3"), context(3, order_key=order_key(86_400)))
    run_to_end(driver, config(), push("4"), context(4, order_key=order_key(0)))
    assert images_of(shop(fake))["app"] == "acme/shop:4"
    with pytest.raises(Superseded, match="delivery dlv_4"):
        driver.execute(config(), push("2"), context(2, order_key=order_key(-60)))


def test_two_repositories_of_one_pod_do_not_supersede_each_other(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    start(fake)
    run_to_end(driver, config(), push("3"), context(3))
    proxy = push("2", repository="library/envoy")
    assert isinstance(run_to_end(driver, config(), proxy, context(2)), Done)
    assert images_of(shop(fake)) == {
        "migrate": "acme/migrate:1",
        "app": "acme/shop:3",
        "proxy": "envoy:2",
    }
    # The template's annotation is the proxy's now; the shop's own push is still known.
    again = driver.execute(config(), push("3"), context(4, identity="push-3"))
    assert isinstance(again, Unchanged)


def test_a_newer_push_during_the_rollout_supersedes_it(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    start(fake)
    first = driver.execute(config(), push("latest"), context(1))
    assert isinstance(first, Wait)
    driver.execute(config(), push("latest"), context(2))
    with pytest.raises(Superseded, match="delivery dlv_2"):
        driver.execute(config(), push("latest"), replace(context(1), state=first.state))


def test_another_repository_is_never_overwritten(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    start(fake)
    before = shop(fake)
    event = push("2", repository="evil/shop")
    for settings in (config(), config(containers=["app"])):
        with pytest.raises(TargetConflict) as caught:
            driver.execute(settings, event, context(1))
        assert caught.value.reason == "conflict"
    assert shop(fake) == before


def test_a_named_repository_may_replace_a_named_container(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    start(fake)
    event = push("2", repository="acme/store")
    outcome = run_to_end(driver, config(containers=["app"]), event, context(1, named=True))
    assert isinstance(outcome, Done)
    assert images_of(shop(fake))["app"] == "docker.io/acme/store:2"


def test_rolling_limits_are_set_with_the_image(driver: DeploymentUpdate, fake: FakeCluster) -> None:
    start(fake)
    limits = {"maxSurge": 2, "maxUnavailable": 0}
    run_to_end(driver, config(strategy=limits), push("2"), context(1))
    found = shop(fake)["spec"]["strategy"]
    assert found == {"type": "RollingUpdate", "rollingUpdate": limits}


def test_a_paused_deployment_is_not_touched(driver: DeploymentUpdate, fake: FakeCluster) -> None:
    fake.apply(workload(paused=True))
    error = failure(driver)
    assert error.reason == "paused" and "kubectl rollout resume" in error.message
    assert writes(fake) == 0


def test_a_rollout_that_takes_too_long_fails(
    driver: DeploymentUpdate, fake: FakeCluster, clock: Clock
) -> None:
    start(fake)
    first = driver.execute(config(), push("bad"), context(1))
    assert isinstance(first, Wait)
    clock.ahead = 21
    with pytest.raises(DriverError, match="did not complete within 20 s") as caught:
        driver.execute(config(), push("bad"), replace(context(1), state=first.state))
    assert caught.value.reason == "rollout_timeout"
    assert image_change("acme/shop:1", "acme/shop:bad") in caught.value.changes
    assert images_of(shop(fake))["app"] == "acme/shop:bad"
    assert reasons(driver, fake) == {"ImageUpdated", "RolloutFailed"}


def test_the_deployments_own_deadline_fails_the_rollout(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    start(fake, progressDeadlineSeconds=1)
    error = failure(driver, tag="bad")
    assert error.reason == "rollout_failed"
    # What failed before is no reason to give up on the next push.
    assert isinstance(run_to_end(driver, config(), push("3"), context(3)), Done)


def test_a_bad_image_is_rolled_back_and_held(
    driver: DeploymentUpdate, fake: FakeCluster, clock: Clock
) -> None:
    start(fake)
    run_to_end(driver, config(), push("2"), context(1))
    good = template_of(shop(fake))

    def hurry(wait: Wait) -> None:
        clock.ahead += 15 if wait.state["phase"] == "rolling" else 0

    with pytest.raises(DriverError, match="did not complete.*rolled back to acme/shop:2") as caught:
        run_to_end(driver, config(rollbackOnFailure=True), push("bad"), context(2), hurry)
    assert caught.value.reason == "rolled_back"
    assert image_change("acme/shop:2", "acme/shop:bad") in caught.value.changes
    assert template_of(shop(fake)) == good
    assert (
        "rolled back from docker.io/acme/shop:bad"
        in (shop(fake)["metadata"]["annotations"][CHANGE_CAUSE])
    )
    live = {
        rs["spec"]["template"]["spec"]["containers"][0]["image"]: rs["spec"]["replicas"]
        for rs in fake.list("ReplicaSet", "default")
    }
    assert live == {"acme/shop:1": 0, "acme/shop:2": 2, "acme/shop:bad": 0}
    assert reasons(driver, fake) == {
        "ImageUpdated",
        "RolloutComplete",
        "RolloutFailed",
        "RolledBack",
    }

    replay = context(3, identity="push-2")
    outcome = driver.execute(config(), push("bad"), replay)
    assert isinstance(outcome, Unchanged) and "rolled back" in outcome.reason
    anew = driver.execute(config(), push("bad"), context(4))
    assert isinstance(anew, Wait)


@pytest.mark.parametrize("leap", [3600, -3600, 365 * 86400])
def test_a_rollout_that_nobody_watched_meanwhile_is_not_condemned(
    driver: DeploymentUpdate, fake: FakeCluster, clock: Clock, leap: float
) -> None:
    start(fake)
    leaps = iter([leap])

    def away(wait: Wait) -> None:
        clock.ahead += next(leaps, 0)

    outcome = run_to_end(driver, config(timeoutSeconds=600), push("2"), context(1), away)
    assert isinstance(outcome, Done) and next(leaps, None) is None


def test_a_rollback_that_hangs_fails(
    driver: DeploymentUpdate, fake: FakeCluster, clock: Clock
) -> None:
    fake.apply(workload(image="acme/shop:bad1"))

    def hurry(wait: Wait) -> None:
        clock.ahead += 25

    with pytest.raises(DriverError, match="rollback to acme/shop:bad1 did not complete") as caught:
        run_to_end(driver, config(rollbackOnFailure=True), push("bad2"), context(1), hurry)
    assert caught.value.reason == "rollback_failed"


def test_a_refused_rollback_says_both_reasons(
    driver: DeploymentUpdate, fake: FakeCluster, clock: Clock
) -> None:
    start(fake)

    def forbid(wait: Wait) -> None:
        fake.deny("patch", "deployments")
        clock.ahead = 25

    with pytest.raises(
        DriverError, match="did not complete.*could not be rolled back: Not allowed"
    ) as caught:
        run_to_end(driver, config(rollbackOnFailure=True), push("bad"), context(1), forbid)
    assert caught.value.reason == "rollback_failed"


def test_a_crash_after_the_patch_goes_on_with_the_rollout(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    start(fake)
    first = driver.execute(config(), push("2"), context(1))
    assert isinstance(first, Wait)
    outcome = run_to_end(driver, config(), push("2"), context(1))
    assert isinstance(outcome, Done) and outcome.changes == first.changes
    assert writes(fake) == 1
    driver.close()
    assert len([e for e in fake.list("Event", "default") if e["reason"] == "ImageUpdated"]) == 1


@pytest.mark.parametrize("remembered", [True, False])
def test_a_crash_after_the_rollback_never_rolls_forward_again(
    driver: DeploymentUpdate, fake: FakeCluster, clock: Clock, remembered: bool
) -> None:
    start(fake)
    settings = config(rollbackOnFailure=True)
    first = driver.execute(settings, push("bad"), context(1))
    assert isinstance(first, Wait)
    clock.ahead = 25
    state = replace(context(1), state=first.state)
    driver.execute(settings, push("bad"), state)
    with pytest.raises(DriverError) as caught:
        run_to_end(driver, settings, push("bad"), state if remembered else context(1))
    assert caught.value.reason == "rolled_back"
    assert image_change("acme/shop:1", "acme/shop:bad") in caught.value.changes
    assert images_of(shop(fake))["app"] == "acme/shop:1"
    assert writes(fake) == 2


def test_somebody_elses_image_during_the_rollout_is_kept(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    start(fake)
    first = driver.execute(config(), push("2"), context(1))
    assert isinstance(first, Wait)
    fake.apply(workload(image="acme/shop:byhand"))
    for state in (first.state, {}):
        with pytest.raises(TargetConflict, match="runs acme/shop:byhand now") as caught:
            driver.execute(config(), push("2"), replace(context(1), state=state))
        assert caught.value.changes == first.changes
    assert images_of(shop(fake))["app"] == "acme/shop:byhand"


def test_a_workload_deleted_during_the_rollout_is_a_failure(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    start(fake)
    first = driver.execute(config(), push("2"), context(1))
    assert isinstance(first, Wait)
    fake.delete("Deployment", "default", "shop")
    with pytest.raises(DriverError, match="was not found"):
        driver.execute(config(), push("2"), replace(context(1), state=first.state))


def ignore(value: object) -> None:
    """Make an expression of what a lambda calls."""


def meddling(monkeypatch: pytest.MonkeyPatch, meddle: Callable[[int], None]) -> None:
    """Call `meddle` between each read and what is decided from it."""
    read, times = Cluster.get, iter(range(1000))

    def get(self: Cluster, address: Address) -> Json:
        found = read(self, address)
        meddle(next(times))
        return found

    monkeypatch.setattr(Cluster, "get", get)


def test_a_change_between_read_and_write_is_decided_anew(
    driver: DeploymentUpdate, fake: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(fake)
    meddling(
        monkeypatch,
        lambda n: None if n else ignore(fake.apply(workload(image="other/shop:9"))),
    )
    with pytest.raises(TargetConflict):
        driver.execute(config(), push("2"), context(1))
    assert images_of(shop(fake))["app"] == "other/shop:9"


def test_endless_conflicts_are_left_to_the_engine(
    driver: DeploymentUpdate, fake: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(fake)
    meddling(monkeypatch, lambda n: ignore(fake.apply(workload(minReadySeconds=n + 1))))
    with pytest.raises(Retry, match="changed by others 5 times"):
        driver.execute(config(), push("2"), context(1))
    assert images_of(shop(fake))["app"] == "acme/shop:1"


def test_concurrent_copies_of_a_push_patch_once(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    start(fake)
    barrier, outcomes = threading.Barrier(8), []

    def run(number: int) -> None:
        barrier.wait()
        copy = context(1, execution=f"exe_{number}")
        outcomes.append(type(driver.execute(config(), push("2"), copy)).__name__)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["Unchanged"] * 7 + ["Wait"]
    assert shop(fake)["metadata"]["generation"] == 2


def test_concurrent_pushes_leave_the_newest(driver: DeploymentUpdate, fake: FakeCluster) -> None:
    start(fake)
    barrier = threading.Barrier(6)

    def run(number: int) -> None:
        barrier.wait()
        while True:
            try:
                driver.execute(config(), push(str(number)), context(number))
            except Retry:
                continue
            except Superseded:
                pass
            return

    threads = [threading.Thread(target=run, args=(number,)) for number in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert images_of(shop(fake))["app"] == "acme/shop:6"


def test_events_are_not_needed(driver: DeploymentUpdate, fake: FakeCluster) -> None:
    start(fake)
    fake.deny("create", "events")
    assert isinstance(run_to_end(driver, config(), push("2"), context(1)), Done)
    assert reasons(driver, fake) == set()


@pytest.mark.parametrize("verb", ["get", "patch"])
def test_a_missing_right_is_a_clear_failure(
    driver: DeploymentUpdate, fake: FakeCluster, verb: str
) -> None:
    start(fake)
    fake.deny(verb, "deployments")
    error = failure(driver)
    assert error.reason == "forbidden"
    assert f'Not allowed to {verb} deployments.apps "shop" in namespace default' in error.message


def test_a_missing_workload_is_a_clear_failure(driver: DeploymentUpdate) -> None:
    error = failure(driver)
    assert error.reason == "not_found"
    assert 'deployments.apps "shop" in namespace default was not found' in error.message


def test_a_state_of_another_version_is_no_harm(driver: DeploymentUpdate, fake: FakeCluster) -> None:
    start(fake)
    strange = replace(context(1), state={"phase": "flying", "expected": 1})
    assert isinstance(driver.execute(config(), push("2"), strange), Wait)


def test_a_plan_shows_changes_and_makes_none(driver: DeploymentUpdate, fake: FakeCluster) -> None:
    start(fake)
    before = shop(fake)
    plan = driver.plan(config(), push("2", SHA), sample_context())
    assert plan.changes == (image_change("acme/shop:1", f"acme/shop:2@{SHA}"),)
    assert plan.notes == ()
    assert shop(fake) == before
    assert driver.plan(config(), push("1", SHA), sample_context(identity="x")).changes != ()


def test_a_plan_notes_what_would_stop_it(driver: DeploymentUpdate, fake: FakeCluster) -> None:
    assert "was not found" in driver.plan(config(), push("2"), context(1)).notes[0]
    start(fake, image=f"acme/shop:2@{SHA}")
    assert "already runs" in driver.plan(config(), push("2", SHA), context(1)).notes[0]
    other = push("2", repository="evil/shop")
    assert "No container" in driver.plan(config(), other, context(1)).notes[0]
    fake.deny("patch", "deployments")
    plan = driver.plan(config(), push("3"), context(1))
    assert plan.changes and "Not allowed to patch" in plan.notes[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_config_that_works_is_valid(
    driver: DeploymentUpdate, fake: FakeCluster, kind: str
) -> None:
    fake.apply(workload(kind))
    driver.validate(config(kind=kind, containers=["app", "migrate"]), sample_context())
    assert writes(fake, kind) == 0


def invalid(driver: DeploymentUpdate, **more: Any) -> str:
    with pytest.raises(InvalidConfig) as caught:
        driver.validate(config(**more), sample_context())
    return caught.value.message


def test_validation_says_all_that_is_missing_at_once(
    driver: DeploymentUpdate, fake: FakeCluster
) -> None:
    assert "was not found: create it" in invalid(driver)
    fake.apply(workload())
    fake.deny("patch", "deployments")
    message = invalid(driver, containers=["web"])
    assert 'Not allowed to patch deployments.apps "shop"' in message
    assert "no container web (it has migrate, app, proxy)" in message
    fake.deny("get", "deployments")
    assert "Not allowed to get and patch" in invalid(driver)


def test_validation_names_an_unknown_or_silent_cluster(
    driver: DeploymentUpdate, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert "No context 'moon'" in invalid(driver, cluster="moon")
    path = kubeconfig(tmp_path_factory.mktemp("away"), main=unused_url())
    away = DeploymentUpdate({"kubeconfig": str(path)})
    assert "does not answer" in invalid(away)
    away.close()
