"""The service acts as the account of each target's namespace, and has no rights of its own."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.host import Host
from tests.e2e.shop import ACCOUNT, RBAC, Shop
from tests.servers.control_plane import ControlPlane
from webhook_service.testing.samples import dockerhub_push

REPOSITORY = "registry.invalid/acme/shop"
OWN_ACCOUNT = "impersonator"

pytestmark = pytest.mark.e2e


@pytest.fixture
def kubeconfig(control_plane: ControlPlane, shop: Shop) -> Path:
    """Of an account that may do nothing but act as the others."""
    api, namespace = control_plane.api, shop.namespace
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    api.post(accounts, {"metadata": {"name": OWN_ACCOUNT}})
    rule = {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]}
    name = f"impersonate-{namespace}"
    api.post(f"{RBAC}/clusterroles", {"metadata": {"name": name}, "rules": [rule]})
    api.post(
        f"{RBAC}/clusterrolebindings",
        {
            "metadata": {"name": name},
            "subjects": [{"kind": "ServiceAccount", "name": OWN_ACCOUNT, "namespace": namespace}],
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": name,
            },
        },
    )
    return control_plane.kubeconfig_for_service_account(namespace, OWN_ACCOUNT)


@pytest.fixture
def host(tmp_path: Path, kubeconfig: Path, shop: Shop) -> Iterator[Host]:
    prod = {"kubeconfig": str(kubeconfig), "account": ACCOUNT}
    settings = {
        "CLUSTERS": json.dumps({"prod": prod}),
        "NAMESPACES": json.dumps({"*": [shop.namespace]}),
    }
    with Host(tmp_path, kubeconfig, settings) as host:
        yield host


def test_a_push_is_rolled_out_with_the_rights_of_the_targets_namespace(
    host: Host, shop: Shop
) -> None:
    config = {"cluster": "prod", "namespace": shop.namespace, "name": "shop"}
    match = {"repositories": [REPOSITORY]}
    receiver = host.create_receiver(
        name="shop",
        driver="deploymentUpdate",
        deploymentUpdateConfig=config,
        match=match,
        source={"format": "dockerhub", "registry": "registry.invalid"},
        verify={"scheme": "none"},
    )
    answer = httpx.post(receiver["url"], content=dockerhub_push("acme/shop", "1"))
    assert answer.json()["state"] == "accepted"
    execution = host.wait_for_end("1")
    assert execution["state"] == "succeeded", execution["message"]
    shop.wait_for_image(f"{REPOSITORY}:1")


def test_a_namespace_without_its_account_or_its_grant_is_refused_at_creation(
    host: Host, shop: Shop, control_plane: ControlPlane
) -> None:
    config = {"cluster": "prod", "namespace": "default", "name": "shop"}
    body = {"name": "other", "driver": "deploymentUpdate", "deploymentUpdateConfig": config}
    refused = host.api.post("/receivers", json=body)
    assert refused.status_code == 400
    assert "may not touch namespace default" in refused.text
    shop.revoke()
    config["namespace"] = shop.namespace
    refused = host.api.post("/receivers", json=body)
    assert refused.status_code == 400
    assert "Not allowed to get and patch deployments" in refused.text
