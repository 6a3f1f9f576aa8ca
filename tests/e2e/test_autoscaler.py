"""The autoscaler of a real control plane appears during a canary, which knows nothing of it."""

from pathlib import Path

import pytest

from tests.contract.client import Client, eventually
from tests.contract.deployed import Deployed, serving
from tests.contract.shop import Shop as Target
from tests.drivers.strategies.colours import REPLICAS, Shop
from tests.servers.control_plane import ControlPlane
from tests.servers.metrics import metrics_server
from tests.support import PROJECT, wait_for, wait_for_end

# A pod requests 10 thousandths of a CPU, and is to use eight of them.
MILLIS_OF_A_POD = 8
# An autoscaler needs the requests of all containers.
REQUESTS = {"containers": [{"name": "proxy", "resources": {"requests": {"cpu": "0"}}}]}


def autoscaler(shop: Shop) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}
    spec = {"scaleTargetRef": target, "minReplicas": REPLICAS, "maxReplicas": 9}
    body = {"metadata": {"name": "shop"}, "spec": spec | {"targetCPUUtilizationPercentage": 80}}
    shop.client.ok("POST", shop._path("HorizontalPodAutoscaler"), body)


@pytest.mark.parametrize("ends", ["aborted", "promoted"])
def test_the_number_that_an_autoscaler_sets_during_a_canary_is_kept(
    control_plane: ControlPlane, tmp_path: Path, ends: str
) -> None:
    namespace = control_plane.new_namespace("autoscaled")
    steps = [{"weight": 25, "pauseSeconds": 600 if ends == "aborted" else 20}]
    strategy = {"type": "canary", "service": "shop", "steps": steps}
    with (
        Client(control_plane.kubeconfig) as client,
        metrics_server(control_plane.api, tmp_path) as load,
        serving(control_plane.kubeconfig, tmp_path) as service,
    ):
        shop = Shop(client, control_plane.kubeconfig, namespace)
        shop.start()
        shop.patch("Deployment", {"spec": {"template": {"spec": REQUESTS}}})
        eventually(lambda: Target(client, namespace).settled("Deployment"))
        deployed = Deployed(
            service, Target(client, namespace), strategy=strategy, timeoutSeconds=90
        )
        push = deployed.begin("2")
        wait_for(lambda: "next step" in service.get_execution(PROJECT, push).message)
        load.millis = 6 * MILLIS_OF_A_POD
        autoscaler(shop)
        with shop.prober() as prober:
            wait_for(lambda: desired(shop) >= 5 and shop.ready() == 6, 60)
            if ends == "aborted":
                service.interventions.abort(PROJECT, push)
            ended = wait_for_end(service, push, 60)
        assert ended.state == ("cancelled" if ends == "aborted" else "succeeded"), ended.message
        image = "acme/shop:1" if ends == "aborted" else "acme/shop:2"
        assert shop.image() == image
        wait_for(lambda: shop.get("Deployment")["spec"]["replicas"] == 6)
        wait_for(lambda: shop.ready() == 6)
        assert shop.find("Deployment", "shop-canary") is None
        assert min(prober.served) >= REPLICAS


def desired(shop: Shop) -> int:
    return int(shop.get("HorizontalPodAutoscaler")["status"].get("desiredReplicas", 0))
