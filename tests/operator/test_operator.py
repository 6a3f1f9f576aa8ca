"""Receivers as custom resources, on a real API server and with the operator in its own process."""

from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.test_chart import OPERATED, rendered
from tests.docs.test_docs import ROOT, blocks
from tests.operator.running import BASE_URL, Operator, deploy
from tests.servers.api import Api, ApiError
from tests.servers.control_plane import ControlPlane
from tests.support import wait_for
from webhook_service.errors import ChangedMeanwhile
from webhook_service.operator.cluster import HomeCluster, log_in
from webhook_service.operator.crd import receiver_definition
from webhook_service.operator.custom_receiver import CustomReceiver
from webhook_service.operator.reconcile import Reconciler
from webhook_service.plugins.instances import installed_drivers
from webhook_service.settings import load_settings

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

PAGE = (ROOT / "docs/operator.md").read_text()
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The control plane with the definition of Receivers."""
    made = receiver_definition(installed_drivers(load_settings()).plugins)
    found = control_plane.api.post(DEFINITIONS, made)
    path = f"{DEFINITIONS}/{found['metadata']['name']}"

    def conditions() -> dict[str, str]:
        told = control_plane.api.get(path)["status"].get("conditions") or []
        return {each["type"]: each["status"] for each in told}

    assert wait_for(lambda: conditions().get("Established") == "True")
    assert "NonStructuralSchema" not in conditions()
    yield control_plane
    control_plane.api.delete(path)


@pytest.fixture
def operator(plane: ControlPlane, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    deploy(plane.api, namespace)
    with Operator(tmp_path, plane, namespace, plane.kubeconfig) as operator:
        yield operator


def test_a_resource_becomes_a_receiver_whose_url_stands_in_a_secret(operator: Operator) -> None:
    operator.start()
    operator.create()
    ready = operator.wait_for("Ready", "True")
    assert operator.wait_for("Healthy", "True")["reason"] == "Works"
    receiver = operator.receivers()["shop"]
    assert receiver.id in ready["message"]
    assert receiver.spec.config["namespace"] == operator.namespace
    secret = operator.secret("shop-receiver-url")
    key = operator.service.receiver_key(operator.namespace, receiver.id)
    url = b64decode(secret["data"]["url"]).decode()
    assert url == f"{BASE_URL}/v1-webhooks/endpoint?key={key}&projectId={operator.namespace}"
    (owner,) = secret["metadata"]["ownerReferences"]
    assert owner["kind"] == "Receiver"
    found = operator.get()
    assert found["status"]["receiver"] == receiver.id
    assert key not in str(found)
    operator.delete()
    operator.wait(operator.is_gone)
    assert operator.receivers() == {}


def test_what_others_change_in_the_service_is_undone_but_for_a_suspension(
    operator: Operator,
) -> None:
    operator.start()
    operator.create()
    operator.wait_for("Ready", "True")
    old = operator.receivers()["shop"]
    project, service = operator.namespace, operator.service
    service.suspend_receiver(project, old.id)
    service.update_receiver(project, old.id, {"name": "other", "match": {"when": "false"}})
    operator.wait(lambda: "shop" in operator.receivers())
    operator.wait(lambda: operator.receivers()["shop"].spec.match.when is None)
    now = operator.receivers()["shop"]
    assert (now.id, now.suspended) == (old.id, True)
    operator.wait(lambda: operator.get()["status"]["state"] == "suspended")
    operator.change({"state": "active"})
    operator.wait(lambda: not operator.receivers()["shop"].suspended)
    service.delete_receiver(project, old.id)
    operator.wait(lambda: operator.receivers().get("shop", old).id != old.id)


def test_secrets_come_from_secrets_and_never_stand_in_the_resource(operator: Operator) -> None:
    operator.start()
    operator.create(verify={"scheme": "github", "secret": "plain text of a secret"})
    told = operator.wait_for("Ready", "False")
    assert told["reason"] == "InvalidConfig"
    assert told["message"].startswith("spec.verify.secret: a secret does not belong into")
    reference = {"secretRef": {"name": "github", "key": "token"}}
    operator.change({"verify": {"secret": reference}})
    operator.wait(lambda: "has no Secret github" in operator.condition("Ready").get("message", ""))
    operator.put_secret("github", token="\n")
    operator.wait(lambda: "is empty" in operator.condition("Ready").get("message", ""))
    path = f"/api/v1/namespaces/{operator.namespace}/secrets/github"
    operator.api.patch(path, {"stringData": {"token": "a secret of 32 characters or more\n"}})
    operator.wait_for("Ready", "True")
    verify = operator.receivers()["shop"].spec.verify
    assert verify.secrets == {"secret": "a secret of 32 characters or more"}


def test_an_invalid_resource_is_refused_by_the_server_or_says_why_it_is_not_ready(
    operator: Operator,
) -> None:
    with pytest.raises(ApiError, match="timeoutSeconds"):
        operator.create(deploymentUpdateConfig={"name": "shop", "timeoutSeconds": "soon"})
    with pytest.raises(ApiError, match="spec.driver"):
        operator.create(driver="deploymentUpdated")
    with pytest.raises(ApiError, match="secretRef"):
        operator.create(
            driver="forwardPost",
            deploymentUpdateConfig=None,
            forwardPostConfig={"projectId": "a", "serviceName": "a", "signingSecret": {"a": "b"}},
        )
    operator.start()
    elsewhere = {"name": "shop", "namespace": "kube-system"}
    for name, config, said in (
        ("two", {"name": "shop", "selector": {"app": "shop"}}, "say the workload's `name`, or a"),
        ("elsewhere", elsewhere, "may not touch namespace kube-system"),
        ("missing", {"name": "web"}, "web"),
    ):
        operator.create(name, deploymentUpdateConfig=config)
        told = operator.wait_for("Ready", "False", name)
        assert said in told["message"]
        assert operator.wait_for("Healthy", "Unknown", name)["reason"] == "NotStored"
    assert operator.receivers() == {}
    deploy(operator.api, operator.namespace, "web")
    operator.wait_for("Ready", "True", "missing")
    path = f"/apis/apps/v1/namespaces/{operator.namespace}/deployments/web"
    operator.api.delete(path)
    assert "web" in operator.wait_for("Healthy", "False", "missing")["message"]
    assert operator.condition("Ready", "missing")["status"] == "True"  # it is stored as it says


def test_a_secret_of_somebody_else_does_not_get_the_url(operator: Operator) -> None:
    operator.put_secret("shop-receiver-url", url="theirs")
    operator.start()
    operator.create()
    assert "is somebody else's" in operator.wait_for("Ready", "False")["message"]
    assert b64decode(operator.secret("shop-receiver-url")["data"]["url"]) == b"theirs"


def test_bytes_that_are_no_text_in_the_secret_of_the_url_are_replaced(operator: Operator) -> None:
    operator.start()
    operator.create()
    operator.wait_for("Ready", "True")
    url = operator.secret("shop-receiver-url")["data"]["url"]
    path = f"/api/v1/namespaces/{operator.namespace}/secrets/shop-receiver-url"
    operator.api.patch(path, {"data": {"url": b64encode(b"\xff\xff").decode()}})
    operator.wait(lambda: operator.secret("shop-receiver-url")["data"]["url"] != "//8=")
    assert operator.secret("shop-receiver-url")["data"]["url"] == url
    assert operator.condition("Ready")["status"] == "True"


@pytest.mark.parametrize("verb", ["get", "create"])
def test_what_the_cluster_refuses_the_operator_stands_in_the_resource(
    plane: ControlPlane, namespace: str, tmp_path: Path, verb: str
) -> None:
    deploy(plane.api, namespace)
    grant_what_the_chart_does(plane.api, namespace, but=("secrets", verb))
    account = plane.kubeconfig_for_service_account(namespace, "hooks")
    with Operator(tmp_path, plane, namespace, account) as operator:
        operator.start()
        operator.create()
        told = operator.wait_for("Ready", "False")
        assert f'cannot {verb} resource "secrets"' in told["message"]
        grant_secrets(plane.api, namespace)
        operator.wait_for("Ready", "True")


def test_an_operator_that_is_killed_and_started_again_loses_nothing(operator: Operator) -> None:
    operator.start()
    operator.create("one")
    operator.wait_for("Ready", "True", "one")
    operator.create("two")
    operator.kill()
    operator.create("three")
    operator.change({"match": {"tags": {"policy": "semver", "value": "^2"}}}, "one")
    operator.delete("two")
    operator.start()
    operator.wait(lambda: operator.is_gone("two") and set(operator.receivers()) == {"one", "three"})
    operator.wait(lambda: operator.receivers()["one"].spec.match.tags.value == "^2")
    assert operator.wait_for("Ready", "True", "three")["reason"] == "Stored"
    assert set(operator.receivers()) == {"one", "three"}


def test_two_replicas_do_not_fight(plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    deploy(plane.api, namespace)
    with Operator(tmp_path, plane, namespace, plane.kubeconfig, replicas=2) as operator:
        operator.start()
        for number in range(5):
            operator.create(f"shop-{number}")
        for number in range(5):
            operator.wait_for("Ready", "True", f"shop-{number}")
        operator.change({"match": {"digests": "required"}}, "shop-0")
        operator.wait(lambda: operator.get("shop-0")["status"]["observedGeneration"] == 2)
        come_to_rest(operator)
        versions = {name: found.version for name, found in operator.receivers().items()}
        assert versions == {"shop-0": 2, "shop-1": 1, "shop-2": 1, "shop-3": 1, "shop-4": 1}
        assert len(operator.service.list_audit(namespace).items) == 6


def test_what_a_replica_heard_of_too_late_changes_nothing(
    plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    deploy(plane.api, namespace)
    with Operator(tmp_path, plane, namespace, plane.kubeconfig) as operator:
        cluster = HomeCluster(log_in(operator.settings))
        reconciler = Reconciler(operator.service, cluster, BASE_URL)
        old = CustomReceiver.read(operator.create())
        reconciler.reconcile(old)
        reconciler.reconcile(
            CustomReceiver.read(operator.change({"match": {"digests": "required"}}))
        )
        newest = operator.receivers()["shop"]
        for stale in (old, replace(old, uid="of-another", generation=2)):
            with pytest.raises(ChangedMeanwhile):
                reconciler.reconcile(stale)
        assert operator.receivers()["shop"] == newest
        operator.delete()
        with pytest.raises(ChangedMeanwhile):
            reconciler.require_newest(replace(old, generation=2))


def test_the_page_and_the_rights_of_the_chart_are_enough(
    plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    api = plane.api
    deploy(api, namespace)
    grant_what_the_chart_does(api, namespace)
    account = plane.kubeconfig_for_service_account(namespace, "hooks")
    (values, shown) = blocks(PAGE, "yaml")
    assert yaml.safe_load(values)["operator"] == {"enabled": True}
    said = yaml.safe_load(shown)["spec"]
    with Operator(tmp_path, plane, namespace, account) as operator:
        operator.put_secret("github", token="a secret of 32 characters or more")
        operator.start()
        operator.create(**said)
        operator.wait_for("Ready", "True")
        assert operator.receivers()["shop"].spec.verify.scheme == "github"
        assert operator.secret("shop-receiver-url")["data"]["url"]
        operator.delete()
        operator.wait(operator.is_gone)


def grant_what_the_chart_does(api: Api, namespace: str, but: tuple[str, str] = ("", "")) -> None:
    """The chart's account, here in the target's own namespace, and its Role.

    Args:
        but: a resource and a verb that are left out of the Role.
    """
    resource, verb = but
    targets = [{"namespace": namespace, "drivers": ["deploymentUpdate"]}]
    objects = rendered(OPERATED | {"targets": targets}, namespace)
    for kind, group in (
        ("ServiceAccount", "api/v1"),
        ("Role", "apis/rbac.authorization.k8s.io/v1"),
        ("RoleBinding", "apis/rbac.authorization.k8s.io/v1"),
    ):
        (found,) = [each for each in objects if each["kind"] == kind]
        for rule in found.get("rules", ()):
            if rule["resources"] == [resource]:
                rule["verbs"].remove(verb)
        api.post(f"/{group}/namespaces/{namespace}/{kind.lower()}s", found)


def grant_secrets(api: Api, namespace: str) -> None:
    """All rights on Secrets for the chart's account."""
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}]
    api.post(f"{path}/roles", {"metadata": {"name": "secrets"}, "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "secrets"}
    account = {"kind": "ServiceAccount", "name": "hooks", "namespace": namespace}
    binding = {"metadata": {"name": "secrets"}, "roleRef": role, "subjects": [account]}
    api.post(f"{path}/rolebindings", binding)


def settled(operator: Operator) -> list[Any]:
    """What does not change while nobody changes anything."""
    resources = [operator.get(f"shop-{number}") for number in range(5)]
    receivers = operator.receivers()
    return [
        [(each["metadata"]["resourceVersion"], each["status"]) for each in resources],
        {name: (each.id, each.version) for name, each in receivers.items()},
    ]


def come_to_rest(operator: Operator) -> None:
    """Wait until nothing changes any more while both look; Kopf writes down what it has done."""
    for _ in range(5):
        before = settled(operator)
        both_look_again(operator)
        if settled(operator) == before:
            return
    raise AssertionError("they go on writing")


def both_look_again(operator: Operator) -> None:
    """Wait until each of two has looked at all resources several times."""
    seen = lines(operator)
    operator.wait(
        lambda: all(new > old + 15 for new, old in zip(lines(operator), seen, strict=True))
    )


def lines(operator: Operator) -> list[int]:
    return [
        process.log.read_text().count("the status is as it should be")
        for process in operator.processes
    ]
