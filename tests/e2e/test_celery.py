"""Host, broker and worker as processes: pushes while the broker dies, without a restart of any."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.host import ENDED, PROGRAM, Host
from tests.engine.celery_site import kill_all
from tests.reliability.farm import NAMESPACE, REPOSITORY, Farm
from tests.servers.process import Process
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.redis import Redis
from tests.support import SECRET, sqlite_url, wait_for
from webhook_service.testing.samples import dockerhub_push

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]
TARGETS = 5


@pytest.fixture(
    params=[
        pytest.param(RabbitMQ, id="rabbitmq", marks=pytest.mark.rabbitmq),
        pytest.param(Redis, id="redis", marks=pytest.mark.redis),
    ]
)
def broker(request: pytest.FixtureRequest) -> Iterator[RabbitMQ | Redis]:
    """A broker of the test's own: it is killed in the middle."""
    with request.param() as broker:
        yield broker


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    with Farm(tmp_path, TARGETS) as farm:
        yield farm


@pytest.fixture
def host(tmp_path: Path, farm: Farm, broker: RabbitMQ | Redis) -> Iterator[Host]:
    """A host with a worker."""
    settings = {
        "ENGINE": "celery",
        "BROKER_URL": broker.url,
        "DATABASE_URL": sqlite_url(tmp_path),
        "SECRET_KEY": SECRET,
        "KUBECONFIG": str(farm.kubeconfig),
        "LEASE_SECONDS": "5",
    }
    environment = {f"WEBHOOK_SERVICE_{name}": value for name, value in settings.items()}
    worker = Process(
        [PROGRAM, "worker", "-c", "2"], tmp_path, name="worker", env=os.environ | environment
    )
    with Host(tmp_path, farm.kubeconfig, settings) as host:
        try:
            worker.start(lambda: "takes executions" in worker.log.read_text(), 60)
            yield host
        finally:
            kill_all(worker)


def push(url: str, tag: str) -> None:
    """Send a push; it must be accepted, and at once."""
    started = time.monotonic()
    answer = httpx.post(url, content=dockerhub_push(REPOSITORY, tag, pushed_at=None))
    assert (answer.status_code, answer.json()["state"]) == (200, "accepted")
    assert time.monotonic() - started < 5


def test_a_broker_that_is_killed_loses_no_push(
    host: Host, farm: Farm, broker: RabbitMQ | Redis
) -> None:
    urls = [
        host.create_receiver(
            name=name,
            driver="deploymentUpdate",
            deploymentUpdateConfig={"namespace": NAMESPACE, "name": name},
            verify={"scheme": "none"},
        )["url"]
        for name in farm.names
    ]
    for tag in ("1", "2", "3"):
        for url in urls:
            push(url, tag)
    broker.kill()
    for tag in ("4", "5"):
        for url in urls:
            push(url, tag)
    broker.start()
    for url in urls:
        push(url, "6")
    wait_for(lambda: all(each["state"] in ENDED for each in host.executions()), 120)
    assert {each["state"] for each in host.executions()} == {"succeeded", "superseded"}
    assert [farm.image(name) for name in farm.names] == [f"docker.io/{REPOSITORY}:6"] * TARGETS
