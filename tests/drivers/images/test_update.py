"""What a real cluster does only now and then, with a scripted one."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from time import time
from typing import Any, cast

import pytest

from tests.drivers.steps import SHA, context, push, workload
from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.resources import Address, Json
from webhook_drivers.kubernetes.images.push import Push
from webhook_drivers.kubernetes.images.rollout import DEADLINE_EXCEEDED
from webhook_drivers.kubernetes.images.update import ImageUpdate
from webhook_drivers.kubernetes.images.workloads import WORKLOADS, dig
from webhook_service import Context, Done, DriverError, Wait

KIND = WORKLOADS["Deployment"]


@dataclass
class Scripted:
    """Takes images and annotations from patches; `react` changes the object as others would."""

    obj: dict[str, Any]
    react: Callable[[dict[str, Any]], None]
    events: list[Json] = field(default_factory=list)

    def get(self, address: Address) -> Json:
        return deepcopy(self.obj)

    def patch(self, address: Address, patch: Json, **_: Any) -> Json:
        spec = self.obj["spec"]["template"]["spec"]
        for item in dig(patch, "spec", "template", "spec").get("containers", ()):
            next(c for c in spec["containers"] if c["name"] == item["name"]).update(item)
        notes = self.obj["metadata"].setdefault("annotations", {})
        notes.update(patch["metadata"]["annotations"])
        self.react(self.obj)
        return deepcopy(self.obj)

    def find(self, *_: Any, **__: Any) -> tuple[Json, ...]:
        return ()

    def create_event(self, namespace: str, event: Json) -> None:
        self.events.append(event)


def update(cluster: Scripted, context: Context, **more: Any) -> ImageUpdate:
    address = Address(KIND.resource, "default", "shop")
    aim = Push(workload=KIND, address=address, event=push("2", SHA), context=context)
    return ImageUpdate(cluster=cast(Cluster, cluster), push=aim, now=time, **more)


def live(**status: Any) -> dict[str, Any]:
    obj = workload()
    obj["metadata"] |= {"generation": 1, "resourceVersion": "1"}
    obj["status"] = {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, **status}
    return obj


def exceeded(at: str) -> dict[str, Any]:
    condition = {"type": "Progressing", "status": "False", "reason": DEADLINE_EXCEEDED}
    return {"conditions": [condition | {"message": f"gave up at {at}", "lastUpdateTime": at}]}


def seen(obj: dict[str, Any]) -> None:
    """The controller has seen the new spec, and created no pod yet."""
    obj["status"] |= {"observedGeneration": 2, "updatedReplicas": 0}
    obj["metadata"]["generation"] = 2


def test_a_deadline_that_was_exceeded_before_is_not_this_rollouts_failure() -> None:
    cluster = Scripted(live(**exceeded("10:00")), seen)
    first = update(cluster, context(1)).step()
    assert isinstance(first, Wait)
    again = replace(context(1), state=first.state)
    assert isinstance(update(cluster, again).step(), Wait)
    cluster.obj["status"] |= exceeded("10:20")
    with pytest.raises(DriverError, match="failed: gave up at 10:20") as caught:
        update(cluster, again).step()
    assert caught.value.reason == "rollout_failed"


def test_the_failed_condition_does_not_fail_the_way_back() -> None:
    cluster = Scripted(live(), seen)
    first = update(cluster, context(1), rollback=True).step()
    assert isinstance(first, Wait)
    cluster.obj["status"] |= exceeded("10:20")
    back = update(cluster, replace(context(1), state=first.state), rollback=True).step()
    assert isinstance(back, Wait) and back.state["phase"] == "rollback"
    again = replace(context(1), state=back.state)
    assert isinstance(update(cluster, again, rollback=True).step(), Wait)
    cluster.obj["status"] |= {"updatedReplicas": 2, "availableReplicas": 2}
    with pytest.raises(DriverError, match="gave up at 10:20. It was rolled back to acme/shop:1"):
        update(cluster, again, rollback=True).step()


def test_an_image_that_admission_rewrote_is_not_somebody_elses() -> None:
    def rewrite(obj: dict[str, Any]) -> None:
        seen(obj)
        obj["spec"]["template"]["spec"]["containers"][0]["image"] = "mirror.example/acme/shop:2"

    cluster = Scripted(live(), rewrite)
    first = update(cluster, context(1)).step()
    assert isinstance(first, Wait)
    cluster.obj["status"] |= {"updatedReplicas": 2, "availableReplicas": 2}
    outcome = update(cluster, replace(context(1), state=first.state)).step()
    assert isinstance(outcome, Done)


def test_events_are_named_by_execution_and_reason() -> None:
    first, copy, second = (named_event(number) for number in (1, 1, 2))
    assert first["metadata"] == copy["metadata"]
    assert first["metadata"]["name"] != second["metadata"]["name"]
    assert first["involvedObject"]["name"] == "shop"
    assert first["type"] == "Normal" and first["reason"] == "ImageUpdated"


def named_event(number: int) -> Json:
    cluster = Scripted(live(), seen)
    update(cluster, context(number)).step()
    return cluster.events[0]
