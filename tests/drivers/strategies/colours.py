"""A shop behind a Service, for the strategies that bring up a second Deployment."""

from pathlib import Path
from typing import Any

from tests.contract.client import MERGE, STRATEGIC, Client, eventually
from tests.contract.manifests import deployments, resource
from tests.drivers.prober import Prober
from tests.drivers.steps import LABELS, config, workload
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdateConfig
from webhook_drivers.kubernetes.images.unfinished_mark import UNFINISHED

REPLICAS = 3
OURS = ("webhook-service.io/color", "pod-template-hash")


class Shop:
    """A Deployment of three pods and its Service, in a namespace of either cluster."""

    def __init__(self, client: Client, kubeconfig: Path, namespace: str = "default") -> None:
        self.client, self.kubeconfig, self.namespace = client, kubeconfig, namespace

    def start(self, image: str = "acme/shop:1", **spec: Any) -> None:
        self.create(image, **spec)
        self.service("shop")
        eventually(lambda: self.ready() == REPLICAS)
        eventually(lambda: self.get("Deployment")["status"].get("availableReplicas") == REPLICAS)

    def create(self, image: str = "acme/shop:1", **spec: Any) -> None:
        """The Deployment alone."""
        body = workload(image=image, replicas=REPLICAS, **spec)
        body["metadata"]["namespace"] = self.namespace
        body["metadata"]["labels"] = {"team": "shop"}
        # What a second Deployment must carry byte for byte.
        app = body["spec"]["template"]["spec"]["containers"][0]
        app["readinessProbe"] = {"httpGet": {"path": "/ready", "port": 80}, "periodSeconds": 7}
        app["resources"] = {"requests": {"cpu": "10m"}, "limits": {"memory": "64Mi"}}
        body["spec"]["template"]["metadata"]["annotations"] = {"acme.example/note": "keep"}
        self.client.ok("POST", deployments(self.namespace), body)

    def service(self, name: str) -> None:
        spec = {"selector": LABELS, "ports": [{"port": 80}]}
        body = {"metadata": {"name": name}, "spec": spec}
        self.client.ok("POST", resource("v1", "services", self.namespace), body)

    def autoscaler(self, **metadata: Any) -> None:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}
        spec = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 9}
        body = {"metadata": {"name": "shop"} | metadata, "spec": spec}
        self.client.ok("POST", self._path("HorizontalPodAutoscaler"), body)

    def get(self, kind: str, name: str = "shop") -> dict[str, Any]:
        found: dict[str, Any] = self.client.ok("GET", self._path(kind, name))
        return found

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        answer = self.client.send("GET", self._path(kind, name))
        return answer.body if answer.code == 200 else None

    def patch(self, kind: str, body: dict[str, Any], name: str = "shop") -> None:
        media = STRATEGIC if kind == "Deployment" else MERGE
        self.client.ok("PATCH", self._path(kind, name), body, media)

    def delete(self) -> None:
        for kind in ("Deployment", "Service"):
            self.client.ok("DELETE", self._path(kind, "shop"))

    def ready(self, service: str = "shop") -> int:
        found = self.find("Endpoints", service) or {}
        return sum(len(s.get("addresses", ())) for s in found.get("subsets") or ())

    def selector(self, service: str = "shop") -> dict[str, str]:
        found: dict[str, str] = self.get("Service", service)["spec"]["selector"]
        return found

    def image(self, name: str = "shop") -> str:
        spec = self.get("Deployment", name)["spec"]["template"]["spec"]
        return str(spec["containers"][0]["image"])

    def target(self) -> str:
        return str(self.get("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"])

    def prober(self) -> Prober:
        return Prober(self.kubeconfig, self.namespace)

    def assert_at_rest(self, image: str, second: str = "shop-green") -> None:
        """One Deployment that runs the image behind a Service as it was written; no leftover."""
        found = self.get("Deployment")
        assert self.image() == image
        assert found["spec"]["replicas"] == REPLICAS, found
        assert found["status"]["availableReplicas"] == REPLICAS, found
        assert self.selector() == LABELS
        assert "webhook-service.io/switch" not in (
            self.get("Service")["metadata"].get("annotations") or {}
        )
        assert UNFINISHED not in (found["metadata"].get("annotations") or {})
        assert self.find("Deployment", second) is None
        eventually(lambda: self.ready() == REPLICAS)

    def _path(self, kind: str, name: str = "") -> str:
        places = {
            "Deployment": ("apps/v1", "deployments"),
            "Service": ("v1", "services"),
            "Endpoints": ("v1", "endpoints"),
            "HorizontalPodAutoscaler": ("autoscaling/v1", "horizontalpodautoscalers"),
        }
        return resource(*places[kind], self.namespace, name)


def blue_green(namespace: str = "default", **strategy: Any) -> DeploymentUpdateConfig:
    values = {"type": "blueGreen", "service": "shop", "keepSeconds": 0} | strategy
    return config(namespace, strategy=values)


def canary(namespace: str = "default", **strategy: Any) -> DeploymentUpdateConfig:
    steps = [{"weight": 20}, {"weight": 50}]
    return config(
        namespace, strategy={"type": "canary", "service": "shop", "steps": steps} | strategy
    )
