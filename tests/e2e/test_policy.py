"""The policy that docs/clusters.md has operators apply, as an API server of its own API judges.

It needs Kubernetes 1.30 or newer, which nobody has to have: see CONTRIBUTING.md.
"""

import copy
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.contract.client import MERGE, Answer, Client, eventually
from tests.contract.manifests import resource
from tests.contract.shop import RBAC
from tests.drivers.api.workload_fields import (
    EACH_KIND,
    EACH_LEVEL,
    LEVELS,
    Level,
    Object,
    leaves,
    pods_of,
    served_types,
    workload,
)
from tests.drivers.steps import SHA, config, context, images_of, push, run_to_end
from tests.servers.control_plane import NEWER, ControlPlane
from tests.servers.requirements import require
from webhook_drivers.kubernetes.api.admission import API, NAME, policy
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_drivers.kubernetes.drivers.restart import Restart, RestartConfig
from webhook_drivers.kubernetes.drivers.scale_service import ScaleService, ScaleServiceConfig
from webhook_drivers.kubernetes.images.workloads import WORKLOADS
from webhook_service import Done, DriverError, Request

ACCOUNT = "webhook-service"
POLICIES = f"/apis/{API}/validatingadmissionpolicies"
BINDINGS = f"/apis/{API}/validatingadmissionpolicybindings"
DRY = {"dryRun": "All"}
LONG_AGO = "2001-02-03T04:05:06Z"
# At least these are judged by the policy: what the API refuses to everybody tells nothing of it.
JUDGED = {
    "ObjectMeta": {"annotations", "finalizers", "labels", "ownerReferences"},
    "PodSpec": {"hostNetwork", "nodeName", "serviceAccountName", "volumes"},
    "Container": {"args", "command", "env", "image"},
    "JobSpec": {"backoffLimit", "parallelism", "suspend"},
}

pytestmark = [pytest.mark.e2e, pytest.mark.newer_control_plane]


@dataclass(frozen=True)
class Bound:
    """One workload of each kind, its owner, and the bound account, which RBAC lets do all."""

    owner: Client
    account: Client
    namespace: str
    kubeconfig: Path

    def path(self, kind: str, subresource: str = "") -> str:
        found = WORKLOADS[kind].resource
        path = resource(found.api_version, found.plural, self.namespace, "shop")
        return f"{path}/{subresource}" if subresource else path

    def get(self, kind: str) -> Object:
        """To be changed and sent back, whatever the controllers write meanwhile."""
        found: Object = self.owner.ok("GET", self.path(kind))
        del found["metadata"]["resourceVersion"]
        return found

    def asked(self, who: Client, kind: str, new: Object, subresource: str = "") -> Answer:
        """What somebody is answered who would write this; nothing is stored."""
        path = self.path(kind, subresource)
        return who.send("PUT", path, new, "application/json", DRY)

    def patched(self, kind: str, patch: Object) -> Answer:
        return self.account.send("PATCH", self.path(kind), patch, MERGE, DRY)


@pytest.fixture(scope="module")
def bound(newer_control_plane: ControlPlane) -> Iterator[Bound]:
    plane, namespace = newer_control_plane, newer_control_plane.new_namespace("policy")
    with Client(plane.kubeconfig) as owner:
        named = {"metadata": {"name": ACCOUNT}}
        owner.ok("POST", resource("v1", "serviceaccounts", namespace), named)
        grant_everything(owner, namespace)
        kubeconfig = plane.kubeconfig_for_service_account(namespace, ACCOUNT)
        with Client(kubeconfig) as account:
            bound = Bound(owner, account, namespace, kubeconfig)
            for kind in LEVELS:
                owner.ok("POST", bound.path(kind).removesuffix("/shop"), workload(kind))
            rules, binding = policy([f"system:serviceaccount:{namespace}:{ACCOUNT}"])
            owner.ok("POST", POLICIES, rules)
            owner.ok("POST", BINDINGS, binding)
            eventually(lambda: denied(bound.patched("Deployment", {"spec": {"paused": True}})))
            yield bound


def grant_everything(owner: Client, namespace: str) -> None:
    rule = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "all"}
    named = {"metadata": {"name": "all"}}
    owner.ok("POST", resource(RBAC, "roles", namespace), named | {"rules": [rule]})
    binding = named | {"subjects": [subject], "roleRef": reference}
    owner.ok("POST", resource(RBAC, "rolebindings", namespace), binding)


def denied(answer: Answer) -> bool:
    return answer.code == 422 and f"ValidatingAdmissionPolicy '{NAME}'" in answer.body["message"]


@pytest.fixture(scope="module")
def types(newer_control_plane: ControlPlane) -> Object:
    return served_types(newer_control_plane)


def another(types: Object, schema: Object, value: Any = None) -> Any:
    """Something else that a field of this schema may hold, beside what it holds."""
    schema = types[schema["$ref"].rpartition(".")[2]] if "$ref" in schema else schema
    if schema.get("format") == "date-time":
        return LONG_AGO
    match schema.get("type"):
        case "integer" | "number":
            return 17
        case "boolean":
            return not value
        case "array":
            return [*(value or ()), another(types, schema["items"])]
        case "object" if "additionalProperties" in schema:
            return {**(value or {}), "x": another(types, schema["additionalProperties"])}
        case "object":
            fields = schema.get("properties", {})
            names = schema.get("required") or sorted(fields)[:1]
            return {**(value or {}), **{name: another(types, fields[name]) for name in names}}
        case _:
            return "17"


@EACH_LEVEL
def test_of_all_fields_that_the_server_has_those_named_as_open_may_change(
    bound: Bound, types: Object, kind: str, level: Level
) -> None:
    old, judged, open_ = bound.get(kind), set(), leaves(kind, level)
    for field, schema in types[level.type]["properties"].items():
        new = copy.deepcopy(old)
        before = level.of(old).get(field)
        level.of(new)[field] = another(types, schema, before)
        answer = bound.asked(bound.owner, kind, new)
        if answer.code < 300 and level.of(answer.body).get(field) != before:
            judged.add(field)
            answer = bound.asked(bound.account, kind, new)
            assert denied(answer) or field in level.open, field
            assert answer.code == 200 or field not in open_, (field, answer.body)
    assert judged >= JUDGED.get(level.type, set())


@EACH_LEVEL
def test_all_fields_that_the_server_has_are_named(types: Object, kind: str, level: Level) -> None:
    """Where this fails, the API has a new field: it is closed, and to be named in the list."""
    assert types[level.type]["properties"].keys() <= level.fields


OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "1" * 36}
CLAIM = {"metadata": {"name": "data", "labels": {"a": "b"}}, "spec": {}}


CLOSED: dict[str, Callable[[Object, Object], object]] = {
    "owners": lambda obj, pods: obj["metadata"].update(ownerReferences=[OWNER]),
    "finalizers": lambda obj, pods: obj["metadata"].update(finalizers=["x.example/y"]),
    "labels": lambda obj, pods: obj["metadata"].update(labels={}),
    "annotations": lambda obj, pods: obj["metadata"].pop("annotations"),
    "owners of pods": lambda obj, pods: pods["metadata"].update(ownerReferences=[OWNER]),
    "finalizers of pods": lambda obj, pods: pods["metadata"].update(finalizers=["x.example/y"]),
    "labels of pods": lambda obj, pods: pods["metadata"]["labels"].update(tier="web"),
    "annotations of pods": lambda obj, pods: pods["metadata"]["annotations"].update(a="b"),
    "order": lambda obj, pods: pods["spec"]["containers"].reverse(),
    "order at the start": lambda obj, pods: pods["spec"]["initContainers"].reverse(),
    "number": lambda obj, pods: pods["spec"]["containers"].pop(),
    "part of a list": lambda obj, pods: pods["spec"]["containers"][0]["env"][0].update(value="b"),
}


@EACH_KIND
@pytest.mark.parametrize("change", CLOSED.values(), ids=CLOSED)
def test_what_the_account_may_not_change_the_owner_may(
    bound: Bound, kind: str, change: Callable[[Object, Object], object]
) -> None:
    new = bound.get(kind)
    change(new, pods_of(new))
    assert bound.asked(bound.owner, kind, new).code == 200
    assert denied(bound.asked(bound.account, kind, new))


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        (
            "CronJob",
            {"jobTemplate": {"metadata": {"labels": {"a": "b"}, "annotations": {"a": "b"}}}},
        ),
        ("CronJob", {"jobTemplate": {"metadata": {"annotations": {"webhook-service.io/a": "b"}}}}),
        ("CronJob", {"jobTemplate": {"metadata": {"finalizers": ["x.example/y"]}}}),
        ("CronJob", {"jobTemplate": {"metadata": {"ownerReferences": [OWNER]}}}),
        ("CronJob", {"jobTemplate": {"spec": {"suspend": True}}}),
        ("StatefulSet", {"updateStrategy": {"rollingUpdate": {"partition": 1}}}),
        ("StatefulSet", {"volumeClaimTemplates": [CLAIM]}),
    ],
)
def test_what_is_one_kinds_own_is_closed(bound: Bound, kind: str, patch: Object) -> None:
    assert denied(bound.patched(kind, {"spec": patch}))


def test_a_workload_cannot_be_given_to_the_garbage_collector(bound: Bound) -> None:
    patch = {"metadata": {"ownerReferences": [OWNER]}}
    assert denied(bound.account.send("PATCH", bound.path("Deployment"), patch, MERGE))
    time.sleep(2)  # it takes such a Deployment within a second
    assert bound.get("Deployment")["spec"]["replicas"] == 3


THROUGH_THE_STATUS: dict[str, Callable[[Object], object]] = {
    "annotations": lambda obj: obj["metadata"]["annotations"].update({"a.example/b": "c"}),
    "finalizers": lambda obj: obj["metadata"].update(finalizers=["x.example/y"]),
    "status": lambda obj: obj["status"].update(observedGeneration=99, lastScheduleTime=LONG_AGO),
}


@EACH_KIND
@pytest.mark.parametrize("change", THROUGH_THE_STATUS.values(), ids=THROUGH_THE_STATUS)
def test_the_status_is_no_way_around(
    bound: Bound, kind: str, change: Callable[[Object], object]
) -> None:
    new = {"status": {}} | bound.get(kind)
    change(new)
    assert bound.asked(bound.owner, kind, new, "status").code == 200
    assert denied(bound.asked(bound.account, kind, new, "status"))


def test_the_message_names_what_was_changed(bound: Bound) -> None:
    spec = {"template": {"spec": {"hostNetwork": True, "hostPID": True}}}
    message = bound.patched("Deployment", {"spec": spec}).body["message"]
    assert message.endswith(
        "webhook-service may change images, its own annotations, replicas and rolling settings, "
        "not the spec of its pods: hostNetwork, hostPID."
    )


def test_a_pod_of_a_hundred_containers_is_judged_in_the_budget(bound: Bound) -> None:
    """An expression that costs too much is denied: no push could be rolled out."""
    many, path = workload("Deployment"), bound.path("Deployment").replace("shop", "many")
    many["metadata"]["name"] = "many"
    pod = many["spec"]["template"]["spec"]
    env = [{"name": f"NAME_{number}", "value": "value" * 20} for number in range(50)]
    pod["containers"] = [
        {"name": f"container-{number}", "image": "acme/shop:1", "env": env} for number in range(100)
    ]
    bound.owner.ok("POST", path.removesuffix("/many"), many)
    found = bound.owner.ok("GET", path)
    del found["metadata"]["resourceVersion"]
    for item in found["spec"]["template"]["spec"]["containers"]:
        item["image"] = "acme/shop:2"
    bound.account.ok("PUT", path, found, "application/json", DRY)
    found["spec"]["template"]["spec"]["containers"][99]["env"][0]["value"] = "other"
    assert denied(bound.account.send("PUT", path, found, "application/json", DRY))


STRATEGIES = [
    ("Deployment", {"maxSurge": 1, "maxUnavailable": 0, "minReadySeconds": 0}),
    ("DaemonSet", {"maxSurge": 0, "maxUnavailable": 1, "minReadySeconds": 0}),
    ("Deployment", {"type": "recreate", "restoreStrategy": True}),
    ("StatefulSet", {"type": "recreate"}),
    ("StatefulSet", {}),
    ("CronJob", {}),
]


@pytest.fixture
def fresh(bound: Bound) -> Iterator[Callable[[str], None]]:
    """Puts a workload back to what it was, as its owner."""

    def put(kind: str) -> None:
        bound.owner.ok("DELETE", bound.path(kind))
        eventually(lambda: bound.owner.send("GET", bound.path(kind)).code == 404)
        bound.owner.ok("POST", bound.path(kind).removesuffix("/shop"), workload(kind))

    yield put


@pytest.mark.parametrize(("kind", "strategy"), STRATEGIES)
def test_a_push_is_rolled_out_and_another_is_rolled_back(
    bound: Bound, fresh: Callable[[str], None], kind: str, strategy: Object
) -> None:
    fresh(kind)
    values = {"kind": kind, "strategy": strategy, "rollbackOnFailure": True}
    settings = config(bound.namespace, **values)
    with closing(DeploymentUpdate({"kubeconfig": str(bound.kubeconfig)})) as driver:
        assert isinstance(run_to_end(driver, settings, push("2", SHA), context(1)), Done)
        assert images_of(bound.get(kind))["app"] == f"acme/shop:2@{SHA}"
        if kind != "CronJob":
            settings = config(bound.namespace, **values, timeoutSeconds=2)
            with pytest.raises(DriverError) as caught:
                run_to_end(driver, settings, push("bad"), context(2))
            assert caught.value.reason == "rolled_back", caught.value.message
            assert images_of(bound.get(kind))["app"] == f"acme/shop:2@{SHA}"


def test_the_other_drivers_of_workloads_work(bound: Bound, fresh: Callable[[str], None]) -> None:
    fresh("Deployment")
    options = {"kubeconfig": str(bound.kubeconfig)}
    restart = RestartConfig(namespace=bound.namespace, name="shop", timeout_seconds=20)
    scale = ScaleServiceConfig.model_validate(
        {"serviceId": f"{bound.namespace}/shop", "amount": 1, "action": "up", "min": 1, "max": 9}
    )
    with closing(Restart(options)) as driver:
        assert isinstance(run_to_end(driver, restart, push("1"), context(1)), Done)
    with closing(ScaleService(options)) as scaling:
        assert isinstance(scaling.execute(scale, Request(body=b""), context(2)), Done)
    assert bound.get("Deployment")["spec"]["replicas"] == 4


def typecheck(items: list[Object], folder: Path) -> str:
    """What the API's own type checker says, which writes its warnings into the policy's status."""
    program = Path(os.environ[NEWER], "policy-typecheck")
    require("policy-typecheck", program.exists(), f"build it into the folder of {NEWER}")
    file = folder / "policy.json"
    file.write_text(json.dumps({"items": items}))
    done = subprocess.run([program, file], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def test_its_expressions_have_no_type_warnings(tmp_path: Path) -> None:
    rules, binding = policy(["system:serviceaccount:a:b"])
    number = len(rules["spec"]["validations"])
    assert typecheck([rules, binding], tmp_path) == f"checked {number} validations\n"
    rules["spec"]["validations"][0]["expression"] = "object.spec.fieldOfTomorrow == 1"
    assert "undefined field 'fieldOfTomorrow'" in typecheck([rules, binding], tmp_path)
