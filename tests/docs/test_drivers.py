"""docs/drivers.md: its receivers are made and called, its tables compared with the code."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.v16_drivers import deployment, service
from tests.servers.deployers import FLUX_HELM, controlled
from tests.support import PROJECT, SECRET, sqlite_url, wait_for_end
from webhook_drivers.forward_post import ForwardPost
from webhook_drivers.kubernetes.drivers.base import ClusterDriver
from webhook_drivers.kubernetes.drivers.job_run import JobRun
from webhook_drivers.kubernetes.drivers.resource_update import ResourceUpdate
from webhook_drivers.kubernetes.drivers.restart import Restart
from webhook_drivers.kubernetes.drivers.scale_host import ScaleHost
from webhook_drivers.kubernetes.drivers.scale_service import ScaleService
from webhook_drivers.kubernetes.drivers.service_upgrade import ServiceUpgrade
from webhook_service import Call, Settings, WebhookService
from webhook_service.testing import FakeCluster, Reply, definition
from webhook_service.testing.samples import dockerhub_push

PAGE = (Path(__file__).parents[2] / "docs/drivers.md").read_text()
DRIVERS: dict[str, type[ClusterDriver[Any, Any]]] = {
    "forwardPost": ForwardPost,
    "jobRun": JobRun,
    "resourceUpdate": ResourceUpdate,
    "restart": Restart,
    "scaleHost": ScaleHost,
    "scaleService": ScaleService,
    "serviceUpgrade": ServiceUpgrade,
}
EXAMPLES = {
    body["driver"]: body
    for body in map(json.loads, re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
}


def section(driver: str) -> str:
    return PAGE.partition(f"\n## {driver}\n")[2].partition("\n## ")[0]


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    with FakeCluster(ready_delay=0.02) as cluster:
        shop = deployment("shop", {"Tier": "web"}, "acme/shop:1.0.0")
        pipeline = deployment("pipeline", {}, "acme/ci:1")
        for obj in (shop, pipeline, service("pipeline", 60080), cron_job()):
            obj["metadata"]["namespace"] = "shop"
            cluster.apply(obj)
        cluster.apply(definition("MachineDeployment"))
        cluster.apply(machines())
        cluster.apply(FLUX_HELM.definition)
        cluster.apply(FLUX_HELM.manifest("shop"))
        cluster.answer("shop", "pipeline", lambda ask, pod: Reply(202, b"queued"))
        deadline = time.monotonic() + 30
        while '"addresses"' not in json.dumps(cluster.list("Endpoints", "shop")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield cluster


def cron_job() -> dict[str, Any]:
    pod = deployment("migrate", {}, "acme/shop:1.0.0")["spec"]["template"]
    pod["spec"]["restartPolicy"] = "Never"
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "migrate"},
        "spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": pod}}},
    }


def machines() -> dict[str, Any]:
    return {
        "apiVersion": "cluster.x-k8s.io/v1beta1",
        "kind": "MachineDeployment",
        "metadata": {"name": "web", "namespace": PROJECT, "labels": {"Pool": "Web"}},
        "spec": {"clusterName": "main", "replicas": 1},
    }


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_documented_receiver_works(driver: str, cluster: FakeCluster, tmp_path: Path) -> None:
    settings = Settings(
        database_url=sqlite_url(tmp_path),
        secret_key=SECRET,
        kubeconfig=cluster.write_kubeconfig(tmp_path / "kubeconfig"),
    )
    pushed = "acme/base" if driver == "restart" else "acme/shop"
    kubeconfig = cluster.write_kubeconfig(tmp_path / "controller")
    with controlled(kubeconfig, "shop", FLUX_HELM), WebhookService.open(settings) as service:
        receiver = service.create_receiver(PROJECT, EXAMPLES[driver])
        key = service.receiver_key(PROJECT, receiver.id)
        delivery = service.accept(PROJECT, key, Call(dockerhub_push(pushed, "1.2.3")))
        execution = wait_for_end(service, delivery.executions[0], 30)
    assert (execution.state, execution.reason) == ("succeeded", None), execution.message


@pytest.mark.parametrize("driver", DRIVERS)
def test_every_field_is_documented_with_its_driver(driver: str) -> None:
    fields = {*DRIVERS[driver].Config.model_json_schema(by_alias=True)["properties"]} - {"cluster"}
    assert [name for name in sorted(fields) if f"`{name}`" not in section(driver)] == []


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_rights_are_those_of_the_driver(driver: str) -> None:
    (row,) = re.findall(rf"^\| `{driver}` \| (`.*: .*) \|$", PAGE, re.MULTILINE)
    documented = {
        (name, verb)
        for part in row.split("; ")
        for names, verbs in [part.split(": ")]
        for name in re.findall(r"`([^`]+)`", names)
        for verb in verbs.split(", ")
    }
    needed = {
        (f"{right.plural}.{right.resource.group}".rstrip("."), verb)
        for right in DRIVERS[driver].rights
        for verb in right.verbs
    }
    assert documented == needed
