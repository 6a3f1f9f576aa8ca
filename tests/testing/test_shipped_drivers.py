"""The conformance kit on drivers that the service ships, on the double of a cluster."""

from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.drivers.test_job_run import cron_job
from tests.drivers.drivers.test_scale_host import machines
from tests.drivers.faulty import Handler, faulty
from tests.drivers.steps import LABELS, images_of, push, template_of, wait_until_settled, workload
from tests.drivers.test_forward_post import SIGNING_SECRET, service
from tests.servers.deployers import KNATIVE, controlled
from tests.servers.git import GitServer
from tests.testing.shipped import shipped
from webhook_drivers.forward_post import ForwardPost
from webhook_drivers.git.driver import GitCommit
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_drivers.kubernetes.drivers.job_run import JobRun
from webhook_drivers.kubernetes.drivers.resource_update import ResourceUpdate
from webhook_drivers.kubernetes.drivers.restart import RESTART, Restart
from webhook_drivers.kubernetes.drivers.scale_host import ScaleHost
from webhook_drivers.kubernetes.drivers.scale_service import ScaleService
from webhook_drivers.kubernetes.drivers.service_upgrade import ServiceUpgrade
from webhook_service import Request
from webhook_service.plugins.discovery import DRIVERS
from webhook_service.testing import FakeCluster, definition
from webhook_service.testing.kit import DriverCase, DriverConformance, FreshTarget

PUSHES = (push("2"), push("3"))
REQUESTS = (Request(body=b"one"), Request(body=b"two"))
numbers = count(1)


@pytest.fixture(scope="module")
def cluster() -> Iterator[FakeCluster]:
    with FakeCluster(ready_delay=0.001) as running:
        yield running


@pytest.fixture(scope="module")
def git_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    with GitServer(tmp_path_factory.mktemp("git")) as server:
        yield server


@pytest.fixture
def options(cluster: FakeCluster, tmp_path: Path) -> Mapping[str, str]:
    return {"kubeconfig": str(cluster.write_kubeconfig(tmp_path / "kubeconfig"))}


class Shop:
    """A Deployment of its own for each target."""

    def __init__(self, cluster: FakeCluster, namespace: str = "default") -> None:
        self.cluster, self.namespace = cluster, namespace
        self.name = f"shop-{next(numbers)}"
        body = workload()
        body["metadata"] |= {"name": self.name, "namespace": namespace, "labels": self.labels}
        body["spec"]["selector"] = {"matchLabels": self.labels}
        template_of(body)["metadata"]["labels"] = self.labels
        cluster.apply(body)
        if namespace == "default":
            wait_until_settled(cluster, "Deployment", self.name)

    @property
    def labels(self) -> dict[str, str]:
        return {**LABELS, "app": self.name}

    @property
    def found(self) -> dict[str, Any]:
        return self.cluster.get("Deployment", self.namespace, self.name)

    def images(self) -> dict[str, str | None]:
        """The images, and what the drivers say beside them."""
        return {**images_of(self.found), **annotations(self)}

    def has(self, event: Any) -> bool:
        return images_of(self.found)["app"] == f"acme/shop:{event.tag}"


class TestDeploymentUpdate(DriverConformance):
    @pytest.fixture
    def case(self, cluster: FakeCluster, options: Mapping[str, str]) -> DriverCase:
        def target() -> FreshTarget:
            shop = Shop(cluster)
            config = {"namespace": "default", "name": shop.name, "timeoutSeconds": 20}
            return FreshTarget(config=config, look=shop.images, has=shop.has)

        return DriverCase(
            driver=lambda: DeploymentUpdate(options),
            target=target,
            events=PUSHES,
            bad_configs=[{}, {"namespace": "default"}, {"namespace": "default", "name": "no-such"}],
        )


class TestServiceUpgrade(DriverConformance):
    @pytest.fixture
    def case(self, cluster: FakeCluster, options: Mapping[str, str]) -> DriverCase:
        def target() -> FreshTarget:
            shop = Shop(cluster, "1a5")
            config = {"serviceSelector": {"app": shop.name}, "tag": "2", "timeoutSeconds": 20}
            return FreshTarget(
                config=config | {"intervalMillis": 1}, look=shop.images, has=shop.has
            )

        return DriverCase(
            driver=lambda: ServiceUpgrade(options),
            target=target,
            events=PUSHES[:1],
            bad_configs=[{}],
        )


class TestRestart(DriverConformance):
    @pytest.fixture
    def case(self, cluster: FakeCluster, options: Mapping[str, str]) -> DriverCase:
        def target() -> FreshTarget:
            shop = Shop(cluster)

            def look() -> Mapping[str, str | None]:
                return {"restart": annotations(shop).get(RESTART)}

            def has(event: Any) -> bool:
                return RESTART in annotations(shop)

            config = {"namespace": "default", "name": shop.name, "timeoutSeconds": 20}
            return FreshTarget(config=config, look=look, has=has)

        return DriverCase(driver=lambda: Restart(options), target=target, events=PUSHES)


def annotations(shop: Shop) -> dict[str, str]:
    found: dict[str, str] = template_of(shop.found)["metadata"].get("annotations") or {}
    return found


class TestResourceUpdate(DriverConformance):
    @pytest.fixture
    def case(
        self, cluster: FakeCluster, options: Mapping[str, str], tmp_path: Path
    ) -> Iterator[DriverCase]:
        cluster.apply(KNATIVE.definition)

        def target() -> FreshTarget:
            name = f"shop-{next(numbers)}"
            controller.client.ok("POST", controller.path, KNATIVE.manifest("default", name))

            def look() -> Mapping[str, str | None]:
                found = controller.client.ok("GET", f"{controller.path}/{name}")
                return {"image": found["spec"]["template"]["spec"]["containers"][0]["image"]}

            return FreshTarget(
                config=KNATIVE.config("default", name),
                look=look,
                has=lambda event: look()["image"] == f"acme/shop:{event.tag}",
            )

        with controlled(cluster.write_kubeconfig(tmp_path / "c"), "default", KNATIVE) as controller:
            yield DriverCase(
                driver=lambda: ResourceUpdate(options),
                target=target,
                events=PUSHES,
                bad_configs=[
                    {},
                    KNATIVE.config("default", "no-such"),
                    {**KNATIVE.config("default"), "apiVersion": "apps/v1"},
                    {**KNATIVE.config("default"), "fields": {"metadata.name": "{tag}"}},
                    {**KNATIVE.config("default"), "fields": {"spec.image": "constant"}},
                    {**KNATIVE.config("default"), "fields": {"spec.image": "{nothing}"}},
                ],
            )


class TestGitCommit(DriverConformance):
    @pytest.fixture
    def case(self, git_server: GitServer) -> DriverCase:
        def target() -> FreshTarget:
            name = f"acme/deploy-{next(numbers)}"
            bare = git_server.repository(name)
            bare.write("shop.yaml", b"image: acme/shop:1 # ours\n")

            def look() -> Mapping[str, str | None]:
                return {"image": bare.read("shop.yaml").split()[1].decode()}

            config = {
                "repository": git_server.url(name),
                "via": "git",
                "token": "the-secret-token",
                "path": "shop.yaml",
                "edit": {"type": "helmValues"},
            }
            return FreshTarget(
                config=config,
                look=look,
                has=lambda event: look()["image"] == f"acme/shop:{event.tag}",
                marks=bare.messages,
            )

        return DriverCase(
            driver=lambda: GitCommit({"allow_private": ["127.0.0.0/8"]}),
            target=target,
            events=PUSHES,
            bad_configs=[{}, {"repository": "ssh://git@example.com/a/b", "path": "a.yaml"}],
        )


class TestJobRun(DriverConformance):
    @pytest.fixture
    def case(self, cluster: FakeCluster, options: Mapping[str, str]) -> DriverCase:
        def target() -> FreshTarget:
            # The name of a Job follows from that of its CronJob: only the namespace may differ.
            namespace = f"jobs-{next(numbers)}"
            body = cron_job()
            body["metadata"]["namespace"] = namespace
            cluster.apply(body)

            def jobs() -> dict[str, str]:
                found = cluster.list("Job", namespace)
                return {job["metadata"]["name"]: tag_of(job) for job in found if is_done(job)}

            return FreshTarget(
                config={"namespace": namespace, "cronJob": "migrate", "env": {"TAG": "tag"}},
                look=lambda: {"job": max(jobs(), default=None)},
                has=lambda event: event.tag in jobs().values(),
                marks=lambda: [job["metadata"]["name"] for job in cluster.list("Job", namespace)],
            )

        return DriverCase(
            driver=lambda: JobRun(options),
            target=target,
            events=PUSHES,
            ordered=False,
            bad_configs=[{}, {"namespace": "default"}, {"namespace": "default", "cronJob": "none"}],
        )


def tag_of(job: Mapping[str, Any]) -> str:
    variables = job["spec"]["template"]["spec"]["containers"][0]["env"]
    return next(str(each["value"]) for each in variables if each["name"] == "TAG")


def is_done(job: Mapping[str, Any]) -> bool:
    conditions = job.get("status", {}).get("conditions", ())
    return any(each["type"] == "Complete" for each in conditions)


class TestScaleHost(DriverConformance):
    @pytest.fixture
    def case(self, cluster: FakeCluster, options: Mapping[str, str]) -> DriverCase:
        cluster.apply(definition("MachineDeployment"))

        def target() -> FreshTarget:
            namespace = f"hosts-{next(numbers)}"
            body = machines("web", 2)
            body["metadata"]["namespace"] = namespace
            cluster.apply(body)

            def size() -> int:
                found = cluster.get("MachineDeployment", namespace, "web")
                return int(found["spec"]["replicas"])

            config = {"namespace": namespace, "hostSelector": {"pool": "web"}, "amount": 1}
            return FreshTarget(
                config=config | {"action": "up", "min": 1, "max": 9},
                look=lambda: {"replicas": str(size())},
                has=lambda request: size() > 2,
            )

        return DriverCase(
            driver=lambda: ScaleHost(options),
            target=target,
            events=REQUESTS,
            bad_configs=[{}, {"hostSelector": {}, "amount": 1, "action": "up", "min": 1, "max": 9}],
        )


class TestForwardPost(DriverConformance):
    @pytest.fixture
    def case(self, cluster: FakeCluster, options: Mapping[str, Any]) -> Iterator[DriverCase]:
        refusing: set[str] = set()

        def answer(handler: Handler) -> None:
            handler.reply(503 if handler.path in refusing else 200, b"")

        with faulty(answer) as (url, received):
            name = f"pipeline-{next(numbers)}"
            body = service("127.0.0.1", int(url.rpartition(":")[2]))
            body["metadata"]["name"] = name
            cluster.apply(body)

            def target() -> FreshTarget:
                path = f"/{next(numbers)}"

                def calls() -> list[tuple[str, bytes]]:
                    """A call that comes again has the same id, and counts once."""
                    found = [each for each in received if each.path == path]
                    return sorted({(each.headers["webhook-id"], each.content) for each in found})

                where = {"projectId": "shop", "serviceName": name, "port": "http", "path": path}
                return FreshTarget(
                    config={**where, "via": "direct", "signingSecret": SIGNING_SECRET},
                    look=lambda: {},
                    has=lambda request: request.body in [body for _, body in calls()],
                    marks=calls,
                    fail=lambda: refusing.add(path),
                )

            yield DriverCase(
                driver=lambda: ForwardPost({**options, "allow_private": ["127.0.0.0/8"]}),
                target=target,
                events=REQUESTS,
                bad_configs=[{}, {"projectId": "shop", "serviceName": "none", "port": "80"}],
            )


class TestScaleService(DriverConformance):
    @pytest.fixture
    def case(self, cluster: FakeCluster, options: Mapping[str, str]) -> DriverCase:
        def target() -> FreshTarget:
            shop = Shop(cluster)

            def look() -> Mapping[str, str | None]:
                return {"replicas": str(shop.found["spec"]["replicas"])}

            config = {"serviceId": f"default/{shop.name}", "amount": 1, "action": "up"}
            return FreshTarget(
                config=config | {"min": 1, "max": 9},
                look=look,
                has=lambda request: shop.found["spec"]["replicas"] > 2,
            )

        return DriverCase(
            driver=lambda: ScaleService(options),
            target=target,
            events=REQUESTS,
            bad_configs=[{}],
        )


def test_every_driver_is_held_to_its_contract() -> None:
    held = {
        name.removeprefix("Test")
        for name, found in globals().items()
        if isinstance(found, type) and issubclass(found, DriverConformance)
    }
    names = {name[:1].upper() + name[1:] for name in shipped(DRIVERS)}
    assert held - {"DriverConformance"} == names
