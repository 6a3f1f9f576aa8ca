"""A shop in a real cluster: a Deployment with a sidecar, and an account with the shipped Role."""

from pathlib import Path
from typing import Any

from tests.servers.control_plane import ControlPlane
from tests.support import wait_for
from webhook_drivers.kubernetes.manifests import roles

ACCOUNT = "webhook-service"
SIDECAR = "docker.io/acme/logs:2.1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


class Shop:
    """Creates everything in a new namespace; the other methods look at it or disturb it."""

    def __init__(self, plane: ControlPlane, image: str) -> None:
        self.plane = plane
        self.namespace = plane.new_namespace("shop")
        self._deployments = f"/apis/apps/v1/namespaces/{self.namespace}/deployments"
        self.kubeconfig = self._account()
        self.plane.api.post(self._deployments, _deployment(image))
        self.wait_for_image(image)

    @property
    def deployment(self) -> dict[str, Any]:
        return self.plane.api.get(f"{self._deployments}/shop")

    @property
    def images(self) -> dict[str, str]:
        containers = self.deployment["spec"]["template"]["spec"]["containers"]
        return {container["name"]: container["image"] for container in containers}

    @property
    def pods(self) -> list[dict[str, Any]]:
        path = f"/api/v1/namespaces/{self.namespace}/pods?labelSelector=app%3Dshop"
        pods = self.plane.api.get(path)["items"]
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def runs(self, image: str) -> bool:
        """Whether three pods run, all of them with the image, and all are ready."""
        pods = self.pods
        return len(pods) == 3 and all(_runs(pod, image) for pod in pods)

    def set_image(self, image: str) -> None:
        """What a person does with kubectl set image."""
        spec = self.deployment["spec"]["template"]["spec"]
        spec["containers"][0]["image"] = image
        self.plane.api.patch(f"{self._deployments}/shop", {"spec": {"template": {"spec": spec}}})
        self.wait_for_image(image)

    def wait_for_image(self, image: str) -> None:
        wait_for(lambda: self.runs(image), 30)

    def delete(self) -> None:
        self.plane.api.delete(f"{self._deployments}/shop")

    def revoke(self) -> None:
        """Take the account's rights away."""
        path = f"{RBAC}/namespaces/{self.namespace}/rolebindings/{ACCOUNT}"
        self.plane.api.delete(path)

    def remove(self) -> None:
        self.plane.api.delete(f"/api/v1/namespaces/{self.namespace}")

    def _account(self) -> Path:
        api, namespace = self.plane.api, self.namespace
        api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": ACCOUNT}})
        (role,) = roles(["deploymentUpdate"])
        api.post(f"{RBAC}/namespaces/{namespace}/roles", role)
        subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}
        name = role["metadata"]["name"]
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        binding = {"metadata": {"name": ACCOUNT}, "subjects": [subject], "roleRef": reference}
        api.post(f"{RBAC}/namespaces/{namespace}/rolebindings", binding)
        return self.plane.kubeconfig_for_service_account(namespace, ACCOUNT)


def _runs(pod: dict[str, Any], image: str) -> bool:
    conditions = {c["type"]: c["status"] for c in pod.get("status", {}).get("conditions", [])}
    return pod["spec"]["containers"][0]["image"] == image and conditions.get("Ready") == "True"


def _deployment(image: str) -> dict[str, Any]:
    containers = [{"name": "shop", "image": image}, {"name": "logs", "image": SIDECAR}]
    template = {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": containers}}
    spec = {"replicas": 3, "selector": {"matchLabels": {"app": "shop"}}, "template": template}
    return {"metadata": {"name": "shop"}, "spec": spec}
