"""The workload that the tests of drivers change, and the account that changes it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.contract.client import MERGE, Client, eventually
from tests.contract.manifests import resource
from tests.drivers.steps import config, images_of, workload
from webhook_drivers.kubernetes.api.resources import Json
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_service import InvalidConfig
from webhook_service.testing import sample_context

ACCOUNT = "webhook-service"
RBAC = "rbac.authorization.k8s.io/v1"
PLURALS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}


class Shop:
    """The workload of a test, as its owner sees it."""

    def __init__(self, client: Client, namespace: str) -> None:
        self.client, self.namespace = client, namespace

    def path(self, kind: str = "Deployment", name: str = "shop") -> str:
        return resource("apps/v1", PLURALS[kind], self.namespace, name)

    def create(
        self, kind: str = "Deployment", image: str = "acme/shop:1", **spec: Any
    ) -> dict[str, Any]:
        body = workload(kind, image, **spec)
        body["metadata"]["namespace"] = self.namespace
        self.client.ok("POST", self.path(kind, ""), body)
        return eventually(lambda: self.settled(kind))

    def settled(self, kind: str) -> dict[str, Any]:
        found = self.get(kind)
        assert found["status"].get("observedGeneration") == found["metadata"]["generation"]
        status, wanted = found["status"], found["spec"].get("replicas")
        assert status.get("readyReplicas", status.get("numberReady", 0)) in (wanted, 3)
        return found

    def get(self, kind: str = "Deployment") -> dict[str, Any]:
        found: dict[str, Any] = self.client.ok("GET", self.path(kind))
        return found

    def tune(self, **spec: Any) -> None:
        self.client.ok("PATCH", self.path(), {"spec": spec}, MERGE)

    def images(self) -> dict[str, str]:
        return images_of(self.get())

    def reasons(self) -> set[str]:
        events = self.client.ok("GET", resource("v1", "events", self.namespace))["items"]
        return {e["reason"] for e in events if e["source"].get("component") == "webhook-service"}


def account(
    request: pytest.FixtureRequest, client: Client, namespace: str, roles: Sequence[Json] = ()
) -> Path:
    """A new service account's kubeconfig, with these Roles and no other right."""
    body = {"metadata": {"name": ACCOUNT}}
    client.ok("POST", resource("v1", "serviceaccounts", namespace), body)
    for role in roles:
        subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}
        name = role["metadata"]["name"]
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        binding = {"metadata": {"name": name}, "subjects": [subject], "roleRef": reference}
        client.ok("POST", resource(RBAC, "roles", namespace), role)
        client.ok("POST", resource(RBAC, "rolebindings", namespace), binding)
    plane = request.getfixturevalue("control_plane")
    path: Path = plane.kubeconfig_for_service_account(namespace, ACCOUNT)
    return path


def permitted(driver: DeploymentUpdate, namespace: str) -> bool:
    """Whether the API server knows the new binding already."""
    with pytest.raises(InvalidConfig) as caught:
        driver.validate(config(namespace, name="nothing"), sample_context())
    return "Not allowed" not in caught.value.message
