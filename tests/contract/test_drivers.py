"""The other drivers of clusters, each with exactly the rights that it asks for."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler
from typing import Any, TypeVar

import pytest

from tests.contract.client import Client, eventually
from tests.contract.conftest import Cluster
from tests.contract.listening import listening, own_address
from tests.contract.manifests import resource
from tests.contract.prober import Prober
from tests.contract.shop import RBAC, Shop
from tests.contract.test_connections import service, services, wait_for_endpoints
from tests.contract.test_custom import DEFINITIONS, is_established
from tests.drivers.drivers.test_job_run import cron_job, stored_template
from tests.drivers.drivers.test_scale_host import machines
from tests.drivers.steps import SHA, context, push, run_to_end, workload
from webhook_drivers.forward_post import ForwardPost, ForwardPostConfig
from webhook_drivers.kubernetes.api.rights import missing, role
from webhook_drivers.kubernetes.drivers.base import ClusterDriver
from webhook_drivers.kubernetes.drivers.job_run import JobRun, JobRunConfig
from webhook_drivers.kubernetes.drivers.restart import RESTART, Restart, RestartConfig
from webhook_drivers.kubernetes.drivers.scale_host import ScaleHost, ScaleHostConfig
from webhook_drivers.kubernetes.drivers.scale_service import ScaleService, ScaleServiceConfig
from webhook_drivers.kubernetes.drivers.service_upgrade import ServiceUpgrade, ServiceUpgradeConfig
from webhook_service import Done, DriverError, InvalidConfig, PushEvent, Request, TargetConflict
from webhook_service.testing import Ask, Reply, definition

D = TypeVar("D", bound=ClusterDriver[Any, Any])
Make = Callable[[type[D]], D]
CALL = Request(body=b"hello", query={"key": "whk_secret", "branch": "main"})
NAME = "driver"


@pytest.fixture
def make(
    request: pytest.FixtureRequest, cluster: Cluster, client: Client, namespace: str
) -> Iterator[Callable[[type[D]], D]]:
    """Makes a driver whose account may do what the driver's rights say, and nothing else."""
    with ExitStack() as stack:

        def made(driver: type[D]) -> D:
            path = cluster.kubeconfig
            if cluster.real:
                bind(client, namespace, driver)
                plane = request.getfixturevalue("control_plane")
                path = plane.kubeconfig_for_service_account(namespace, NAME)
            found = stack.enter_context(closing(driver({"kubeconfig": str(path)})))
            eventually(lambda: is_permitted(found, namespace))
            return found

        yield made


def bind(client: Client, namespace: str, driver: type[ClusterDriver[Any, Any]]) -> None:
    client.ok("POST", resource("v1", "serviceaccounts", namespace), {"metadata": {"name": NAME}})
    client.ok("POST", resource(RBAC, "roles", namespace), role(NAME, driver.rights))
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": namespace}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": NAME}
    binding = {"metadata": {"name": NAME}, "subjects": [subject], "roleRef": reference}
    client.ok("POST", resource(RBAC, "rolebindings", namespace), binding)


def is_permitted(driver: ClusterDriver[Any, Any], namespace: str) -> bool:
    config = RestartConfig(namespace=namespace, name="any")
    return not missing(driver.cluster(config, context(0)), driver.rights, namespace)


@pytest.fixture
def shop(client: Client, namespace: str) -> Shop:
    return Shop(client, namespace)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_call_scales_and_pods_follow(make: Make[ScaleService], shop: Shop, kind: str) -> None:
    shop.create(kind)
    driver = make(ScaleService)
    config = ScaleServiceConfig(
        service_id=f"{shop.namespace}/{kind}/shop", amount=2, action="up", min=1, max=4
    )
    driver.validate(config, context(1))
    for number in (1, 1):
        assert isinstance(driver.execute(config, CALL, context(number)), Done)
    with pytest.raises(DriverError, match="Cannot scale above"):
        driver.execute(config, CALL, context(2))
    eventually(lambda: shop.settled(kind)["status"]["readyReplicas"] == 4)


@pytest.fixture
def machine_api(client: Client) -> Iterator[None]:
    made = definition("MachineDeployment")
    name = made["metadata"]["name"]
    client.ok("POST", DEFINITIONS, made)
    path = resource("cluster.x-k8s.io/v1beta1", "machinedeployments", "default")
    eventually(lambda: is_established(client, name))
    eventually(lambda: client.send("GET", path).code == 200)
    yield
    client.ok("DELETE", f"{DEFINITIONS}/{name}")
    eventually(lambda: client.send("GET", path).code == 404)


def test_a_call_scales_machine_deployments(
    make: Make[ScaleHost], machine_api: None, client: Client, namespace: str
) -> None:
    path = resource("cluster.x-k8s.io/v1beta1", "machinedeployments", namespace)
    for name, count in (("a", 2), ("b", 3)):
        body = machines(name, count)
        body["metadata"]["namespace"] = namespace
        client.ok("POST", path, body)
    driver = make(ScaleHost)
    config = ScaleHostConfig(
        host_selector={"POOL": "web"},
        amount=1,
        action="down",
        delete_option="leastRecent",
        namespace=namespace,
    )
    driver.validate(config, context(1))
    for number in (1, 1):
        assert isinstance(driver.execute(config, CALL, context(number)), Done)
    spec = client.ok("GET", f"{path}/b")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "deletePolicy": "Oldest"}


class Posts(BaseHTTPRequestHandler):
    """A pod that repeats what it was sent."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        said = said_of(self.path, self.headers["webhook-id"], body, "Authorization" in self.headers)
        self.send_response(201)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test reads answers."""


def said_of(path: str, id_: str | None, body: bytes, authorized: bool) -> bytes:
    return f"{path} {id_} {body.decode()} {authorized}".encode()


def repeat(ask: Ask, pod: dict[str, Any]) -> Reply:
    path = f"{ask.path}?{ask.query}"
    found = said_of(path, ask.headers.get("webhook-id"), ask.body, "authorization" in ask.headers)
    return Reply(201, found)


@pytest.fixture
def port(cluster: Cluster, namespace: str) -> Iterator[int]:
    """Where the pods listen."""
    with listening(cluster, namespace, Posts, repeat) as port:
        yield port


def test_a_call_is_passed_on_through_the_api_server(
    make: Make[ForwardPost], client: Client, namespace: str, port: int
) -> None:
    body = workload()
    body["metadata"]["namespace"] = namespace
    body["spec"]["template"]["metadata"]["annotations"] = {"tests/pod-ip": own_address()}
    client.ok("POST", resource("apps/v1", "deployments", namespace), body)
    client.ok("POST", services(namespace), service(ports=[{"port": 80, "targetPort": port}]))
    wait_for_endpoints(client, namespace, 2)
    driver = make(ForwardPost)
    config = ForwardPostConfig(project_id=namespace, service_name="shop", port="80", path="/v1")
    driver.validate(config, context(1))
    outcome = driver.execute(config, CALL, context(1))
    assert isinstance(outcome, Done)
    assert outcome.message.endswith("answered 201: /v1?branch=main exe_1 hello False")
    with pytest.raises(InvalidConfig, match="has no port 81"):
        driver.validate(config.model_copy(update={"port": "81"}), context(1))
    client.ok("DELETE", services(namespace, "shop"))
    with pytest.raises(DriverError) as caught:
        driver.execute(config, CALL, context(2))
    assert caught.value.reason == "not_found"


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_a_push_restarts_every_pod(make: Make[Restart], shop: Shop, kind: str) -> None:
    shop.create(kind)
    driver = make(Restart)
    config = RestartConfig.model_validate(
        {"namespace": shop.namespace, "name": "shop", "kind": kind, "timeoutSeconds": 60}
    )
    driver.validate(config, context(1))
    before = uids(shop)
    for execution in ("exe_1", "exe_9"):
        run_to_end(driver, config, push("2"), context(1, execution=execution))
    assert uids(shop).isdisjoint(before)
    found = shop.get(kind)
    assert found["metadata"]["generation"] == 2
    assert found["spec"]["template"]["metadata"]["annotations"] == {RESTART: "push-1"}


def uids(shop: Shop) -> set[str]:
    found = shop.client.ok("GET", resource("v1", "pods", shop.namespace))["items"]
    live = [pod["metadata"] for pod in found]
    return {item["uid"] for item in live if not item.get("deletionTimestamp")}


def test_a_push_upgrades_all_workloads_of_a_selector_without_a_gap(
    make: Make[ServiceUpgrade], shop: Shop
) -> None:
    for kind in ("Deployment", "StatefulSet", "DaemonSet"):
        shop.create(kind)
    driver = make(ServiceUpgrade)
    config = ServiceUpgradeConfig.model_validate(
        {
            "serviceSelector": {"APP": ""},
            "tag": "2",
            "batchSize": 1,
            "intervalMillis": 1,
            "startFirst": True,
            "namespace": shop.namespace,
            "timeoutSeconds": 90,
        }
    )
    driver.validate(config, context(1))
    prober = Prober(shop.client, shop.namespace, "app=shop,pod-template-hash")
    outcome = run_to_end(driver, config, push("2", SHA), context(1))
    assert isinstance(outcome, Done) and len(outcome.changes) == 3
    assert shop.images()["app"] == f"acme/shop:2@{SHA}"
    assert shop.get()["spec"]["minReadySeconds"] == 1
    moments = prober.moments()
    assert min(moment.ready for moment in moments) >= 2
    assert max(moment.pods for moment in moments) <= 4


class Jobs:
    """The namespace of a test in which Jobs run."""

    def __init__(self, client: Client, namespace: str) -> None:
        self.client, self.namespace = client, namespace

    def template(self, plural: str, version: str, body: dict[str, Any]) -> None:
        body["metadata"]["namespace"] = self.namespace
        self.client.ok("POST", resource(version, plural, self.namespace), body)

    def config(self, **more: Any) -> JobRunConfig:
        values = {"namespace": self.namespace, "cronJob": "migrate"}
        return JobRunConfig.model_validate(values | more)

    def all(self) -> list[Any]:
        found: list[Any] = self.client.ok("GET", resource("batch/v1", "jobs", self.namespace))[
            "items"
        ]
        return found


@pytest.fixture
def jobs(client: Client, namespace: str) -> Jobs:
    return Jobs(client, namespace)


def version_of_cron_jobs(client: Client) -> str:
    """Kubernetes 1.20 has CronJobs in v1beta1 only."""
    served = client.send("GET", "/apis/batch/v1").body["resources"]
    return "batch/v1" if any(item["name"] == "cronjobs" for item in served) else "batch/v1beta1"


PUSH: PushEvent = push("1.2.3", SHA)


def test_a_push_runs_a_job_to_its_end_once(make: Make[JobRun], jobs: Jobs) -> None:
    jobs.template("podtemplates", "v1", stored_template())
    driver = make(JobRun)
    config = jobs.config(cronJob=None, template="tests", env={"TAG": "tag"}, args=["{tag}"])
    driver.validate(config, context(1))
    for _ in range(2):
        outcome = run_to_end(driver, config, PUSH, context(1))
        assert isinstance(outcome, Done) and "succeeded." in outcome.message
    (job,) = jobs.all()
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert {"name": "TAG", "value": "1.2.3"} in container["env"]
    assert container["args"] == ["up", "1.2.3"]
    assert job["status"]["succeeded"] == 1


def test_a_job_that_cannot_start_fails(make: Make[JobRun], jobs: Jobs) -> None:
    jobs.template("podtemplates", "v1", stored_template("acme/shop:bad"))
    driver = make(JobRun)
    config = jobs.config(cronJob=None, template="tests", activeDeadlineSeconds=2, backoffLimit=0)
    with pytest.raises(DriverError, match=r"failed: Job (was active|has reached)") as caught:
        run_to_end(driver, config, PUSH, context(1))
    assert caught.value.reason == "job_failed"


def test_a_cron_job_is_the_template(make: Make[JobRun], jobs: Jobs) -> None:
    if version_of_cron_jobs(jobs.client) != "batch/v1":
        with pytest.raises(InvalidConfig, match=r"does not serve cronjobs\.batch in version v1"):
            make(JobRun).validate(jobs.config(), context(1))
        return
    jobs.template("cronjobs", "batch/v1", cron_job())
    driver = make(JobRun)
    driver.validate(jobs.config(), context(1))
    assert isinstance(run_to_end(driver, jobs.config(useImage=True), PUSH, context(1)), Done)
    with pytest.raises(TargetConflict):
        driver.execute(jobs.config(), push("1", repository="acme/other"), context(2))
