"""v1.6's four drivers as they are shipped, over a cluster that has what its stub of Rancher had."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from tests.support import PROJECT
from webhook_drivers.forward_post import ForwardPost
from webhook_drivers.kubernetes.drivers.scale_host import ScaleHost
from webhook_drivers.kubernetes.drivers.scale_service import ScaleService
from webhook_drivers.kubernetes.drivers.service_upgrade import ServiceUpgrade
from webhook_service import Context, DriverConfig, Outcome, PushEvent, Unchanged, WebhookDriver
from webhook_service.driver import Request
from webhook_service.testing import FakeCluster, Reply, definition

V16_DRIVERS: dict[str, type[WebhookDriver[Any, Any]]] = {
    "scaleService": ScaleService,
    "serviceUpgrade": ServiceUpgrade,
    "scaleHost": ScaleHost,
    "forwardPost": ForwardPost,
}
# What v1.6 called 1s7 is a Deployment here, and so on.
SERVICES = {
    "1s7": f"{PROJECT}/web",
    "1s8": f"{PROJECT}/DaemonSet/agent",
    "1s99": f"{PROJECT}/none",
}


class OnRequest(WebhookDriver[DriverConfig, Request]):
    """A driver of raw requests that does nothing."""

    consumes: ClassVar[type[PushEvent] | type[Request]] = Request

    def execute(self, config: DriverConfig, event: Request, context: Context) -> Outcome:
        return Unchanged("a driver of the tests")


@contextmanager
def v16_cluster() -> Iterator[FakeCluster]:
    """A cluster with v1.6's project as a namespace, and the services that its receivers name."""
    with FakeCluster(ready_delay=0.02) as cluster:
        cluster.apply(definition("MachineDeployment"))
        cluster.apply(deployment("web", {}, "acme/web:1", replicas=2))
        cluster.apply(deployment("shop", {"App": "shop"}, "acme/shop:1.2.2"))
        cluster.apply(deployment("pipeline-server", {}, "acme/ci:1"))
        cluster.apply(service("pipeline-server", 60080))
        cluster.answer(PROJECT, "pipeline-server", lambda ask, pod: Reply(200, ask.body))
        yield cluster


def deployment(
    name: str, labels: Mapping[str, str], image: str, replicas: int = 1
) -> dict[str, Any]:
    pods = {"name": name}
    container = {"name": "app", "image": image, "ports": [{"containerPort": 80}]}
    template = {"metadata": {"labels": pods}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": PROJECT, "labels": dict(labels)},
        "spec": {"replicas": replicas, "selector": {"matchLabels": pods}, "template": template},
    }


def service(name: str, port: int) -> dict[str, Any]:
    ports = [{"port": port, "targetPort": 80}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": PROJECT},
        "spec": {"selector": {"name": name}, "ports": ports},
    }
