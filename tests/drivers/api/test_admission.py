"""The policy's expressions, evaluated on objects as the API server stored them.

The control plane of the tests is older than the policy's API; the language is the same. On a newer
one, ``tests/e2e/test_policy.py`` asks the API server itself.
"""

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import cel
import pytest
from kubernetes import client

from tests.drivers.api.workload_fields import (
    EACH_KIND,
    EACH_LEVEL,
    Level,
    Object,
    leaves,
    pods_of,
    served_types,
    workload,
)
from tests.servers.control_plane import ControlPlane
from webhook_drivers.kubernetes.api.admission import policy
from webhook_drivers.kubernetes.images.workloads import WORKLOADS

ACCOUNT = "system:serviceaccount:webhook-service:webhook-service"
# What an old API server has still and a newer one no longer.
GONE = {"clusterName"}


@cache
def compiled() -> tuple[dict[str, cel.Program], list[cel.Program]]:
    spec = policy([ACCOUNT])[0]["spec"]
    variables = {each["name"]: cel.compile(each["expression"]) for each in spec["variables"]}
    return variables, [cel.compile(each["expression"]) for each in spec["validations"]]


def allowed(old: Object, new: Object) -> bool:
    variables, validations = compiled()
    request, found = {"kind": {"kind": old["kind"]}}, {}
    values = {"object": new, "oldObject": old, "request": request, "variables": found}
    for name, expression in variables.items():
        found[name] = expression.execute(values)
    return all(expression.execute(values) for expression in validations)


def changed(obj: Object, change: Callable[[Object], object]) -> Object:
    new = copy.deepcopy(obj)
    change(new)
    return new


def may_set(kind: str, level: Level, field: str) -> bool:
    """Whether a field may become something that it is in no workload."""
    old = workload(kind)
    return allowed(old, changed(old, lambda obj: level.of(obj).update({field: {"of": "others"}})))


def may_remove(kind: str, level: Level, field: str) -> bool:
    old = workload(kind)
    return allowed(old, changed(old, lambda obj: level.of(obj).pop(field)))


def set_images(obj: Object) -> None:
    spec = pods_of(obj)["spec"]
    for item in (*spec["containers"], *spec["initContainers"]):
        item["image"] = "docker.io/acme/shop:2.0.0@sha256:" + 64 * "a"


def annotate(obj: Object) -> None:
    obj["metadata"]["annotations"] |= {
        "webhook-service.io/pushes": "{}",
        "kubernetes.io/change-cause": "docker.io/acme/shop:2.0.0 by webhook-service",
    }
    pods_of(obj)["metadata"]["annotations"]["webhook-service.io/push"] = "abc"


@EACH_KIND
@pytest.mark.parametrize("change", [set_images, annotate, lambda obj: None])
def test_what_the_drivers_write_is_allowed(kind: str, change: Callable[[Object], object]) -> None:
    old = workload(kind)
    assert allowed(old, changed(old, change))


@EACH_KIND
def test_our_annotations_may_go_again(kind: str) -> None:
    old = changed(workload(kind), annotate)
    assert allowed(old, workload(kind))


@EACH_KIND
@pytest.mark.parametrize(
    ("key", "right"), [("webhook-service.io/a", True), ("example.com/a", False)]
)
def test_the_first_annotation_may_be_ours_only(kind: str, key: str, right: bool) -> None:
    old = workload(kind)
    del old["metadata"]["annotations"], pods_of(old)["metadata"]
    first = {"annotations": {key: "b"}}
    assert allowed(old, changed(old, lambda obj: obj["metadata"].update(first))) is right
    assert allowed(old, changed(old, lambda obj: pods_of(obj).update(metadata=first))) is right


@EACH_KIND
@pytest.mark.parametrize("where", ["metadata", "template"])
@pytest.mark.parametrize(
    "change",
    [
        lambda notes: notes.clear(),
        lambda notes: notes.update({"team.example/owner": "me"}),
        lambda notes: notes.update({next(iter(notes)): "other"}),
        lambda notes: notes.update({"webhook-service.io.example/a": "b"}),
        lambda notes: notes.update({"kubernetes.io/change-cause-too": "b"}),
    ],
)
def test_annotations_of_others_are_closed(
    kind: str, where: str, change: Callable[[Object], object]
) -> None:
    def at(obj: Object) -> Object:
        notes: Object = (obj if where == "metadata" else pods_of(obj))["metadata"]["annotations"]
        return notes

    old = workload(kind)
    assert not allowed(old, changed(old, lambda obj: change(at(obj))))


@EACH_KIND
def test_the_cause_of_a_change_is_for_the_object_alone(kind: str) -> None:
    old, cause = workload(kind), {"kubernetes.io/change-cause": "me"}
    assert not allowed(
        old, changed(old, lambda obj: pods_of(obj)["metadata"]["annotations"].update(cause))
    )


@EACH_LEVEL
def test_every_field_that_is_not_named_as_open_is_closed(kind: str, level: Level) -> None:
    present = level.closed & level.of(workload(kind)).keys()
    assert [field for field in level.closed if may_set(kind, level, field)] == []
    assert [field for field in present if may_remove(kind, level, field)] == []


@EACH_LEVEL
def test_a_field_that_kubernetes_does_not_have_yet_is_closed(kind: str, level: Level) -> None:
    assert not may_set(kind, level, "fieldOfTomorrow")


@EACH_LEVEL
def test_every_field_that_is_named_as_open_is_open(kind: str, level: Level) -> None:
    fields = leaves(kind, level)
    assert {field for field in fields if may_set(kind, level, field)} == fields


@EACH_LEVEL
def test_every_field_of_the_api_is_named(kind: str, level: Level) -> None:
    """Where this fails, the API has a new field: it is closed, and to be named in the list."""
    known = getattr(client, f"V1{level.type}").model_fields
    assert {name.lower() for name in level.fields} == {name.replace("_", "") for name in known}


@pytest.fixture(scope="module")
def types(control_plane: ControlPlane) -> Object:
    return served_types(control_plane)


@EACH_LEVEL
def test_every_field_of_the_control_plane_is_named(types: Object, kind: str, level: Level) -> None:
    assert types[level.type]["properties"].keys() <= level.fields | GONE


EVIL = {"name": "evil", "image": "docker.io/evil/miner:1"}


@EACH_KIND
@pytest.mark.parametrize("key", ["containers", "initContainers"])
@pytest.mark.parametrize(
    "change",
    [
        lambda items: items.append(EVIL),
        lambda items: items.insert(0, EVIL),
        lambda items: items.pop(),
        lambda items: items.clear(),
        lambda items: items.reverse(),
        lambda items: items.__setitem__(1, items[0]),
        lambda items: items[0].update(name="other"),
        lambda items: items[1].update(securityContext={"privileged": True}),
    ],
)
def test_containers_stay_which_they_are(
    kind: str, key: str, change: Callable[[Any], object]
) -> None:
    old = workload(kind)
    assert not allowed(old, changed(old, lambda obj: change(pods_of(obj)["spec"][key])))


@EACH_KIND
def test_a_part_of_a_setting_is_closed_as_the_whole_is(kind: str) -> None:
    old = workload(kind)
    for change in (
        lambda pod: pod["containers"][0]["env"].append({"name": "A", "value": "b"}),
        lambda pod: pod["containers"][0]["env"][0].update(value="test"),
        lambda pod: pod["volumes"].append({"name": "host", "hostPath": {"path": "/"}}),
        lambda pod: pod["volumes"][0].update(emptyDir={"medium": "Memory"}),
        lambda pod: pod.pop("initContainers"),
    ):
        assert not allowed(old, changed(old, lambda obj, do=change: do(pods_of(obj)["spec"])))


def test_a_kind_that_the_policy_does_not_know_is_denied() -> None:
    old = workload("Deployment") | {"kind": "ReplicaSet"}
    with pytest.raises((RuntimeError, KeyError, ValueError)):  # failurePolicy: Fail
        allowed(old, old)


def test_it_binds_the_accounts_that_are_named_only() -> None:
    other = "system:serviceaccount:shop:deployer"
    spec = policy([ACCOUNT, other])[0]["spec"]
    (condition,) = spec["matchConditions"]
    for user, bound in ((ACCOUNT, True), (other, True), ("system:admin", False)):
        request = {"request": {"userInfo": {"username": user}}}
        assert cel.evaluate(condition["expression"], request) is bound
    assert spec["failurePolicy"] == "Fail"


def test_it_is_asked_about_every_kind_that_drivers_change_and_its_status() -> None:
    rules = policy([ACCOUNT])[0]["spec"]["matchConstraints"]["resourceRules"]
    asked = {
        (group, name) for rule in rules for group in rule["apiGroups"] for name in rule["resources"]
    }
    kinds = [each.resource for each in WORKLOADS.values()]
    assert asked == {
        (each.group, f"{each.plural}{part}") for each in kinds for part in ("", "/status")
    }
    assert all(rule["operations"] == ["UPDATE"] for rule in rules)
