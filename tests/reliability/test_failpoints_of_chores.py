"""The process dies while it cleans up or looks for lost pushes: nothing is half done or doubled."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import StartRegistry
from tests.e2e.host import Host
from tests.reliability.conftest import StartHosts, endpoints
from tests.reliability.farm import REPOSITORY, Farm
from tests.reliability.judge import wait_for_ends
from tests.servers.images import build
from tests.servers.images import push as push_image
from tests.servers.process import wait_until
from tests.support import wait_for
from webhook_service.failpoints import VARIABLE
from webhook_service.testing import FakeCluster
from webhook_service.testing.samples import dockerhub_push

YEAR = 365 * 86400 * 1_000_000
SHOP = "shop"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def run(folder: Path, *statements: str) -> None:
    """Change a database whose host does not run."""
    with closing(sqlite3.connect(folder / "service.db")) as database, database:
        for statement in statements:
            database.execute(statement)


def count(folder: Path, query: str) -> int:
    with closing(sqlite3.connect(folder / "service.db")) as database:
        return int(database.execute(query).fetchone()[0])


def crash_at(host: Host, place: str) -> None:
    host.start({VARIABLE: f"{place}=kill"})
    assert wait_until(lambda: not host.process.running, 60), f"{place}: not reached"


@pytest.mark.parametrize("place", ["prune.before_commit", "prune.committed"])
def test_a_crash_while_history_is_removed_removes_it_once_and_no_more(
    farm: Farm, start_hosts: StartHosts, tmp_path: Path, place: str
) -> None:
    [host] = hosts = start_hosts(1)
    folder = tmp_path / "host-0"
    urls = endpoints(farm, hosts)
    name = farm.names[0]
    pushed = {push(urls[name][0], tag, minutes) for tag, minutes in (("9", 9), ("1", 1), ("2", 2))}
    assert sorted(wait_for_ends(host, pushed).values()) == ["succeeded", "superseded", "superseded"]
    host.kill()
    run(
        folder,
        f"UPDATE executions SET created = created - {YEAR}, finished = finished - {YEAR}",
        f"UPDATE deliveries SET received = received - {YEAR}",
        "DELETE FROM chores",
    )
    crash_at(host, place)
    run(folder, "DELETE FROM chores")  # as if its lease had ended
    host.start()
    wait_for(lambda: count(folder, "SELECT count(*) FROM executions") == 1)
    [kept] = host.executions()
    assert (kept["state"], kept["event"]["tag"]) == ("succeeded", "9")
    wait_for(lambda: count(folder, "SELECT count(*) FROM deliveries") == 1)
    assert count(folder, "SELECT count(*) FROM attempts") == 1
    newer = push(urls[name][0], "10", 10)
    assert wait_for_ends(host, {newer})[newer] == "succeeded"


def push(url: str, tag: str, minutes: int) -> str:
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    body = dockerhub_push(REPOSITORY, tag, pushed_at=moment)
    [execution] = httpx.post(url, content=body, timeout=10).json()["executions"]
    return str(execution)


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    with FakeCluster(ready_delay=0.01) as cluster:
        yield cluster


def test_a_crash_while_a_lost_push_is_found_deploys_it_once(
    start_registry: StartRegistry, start_hosts: StartHosts, cluster: FakeCluster, tmp_path: Path
) -> None:
    registry = start_registry(None)
    repository = f"{registry.address}/acme/shop"
    cluster.apply(deployment(f"{repository}:1"))
    settings = {"ALLOW_PRIVATE": "127.0.0.0/8", "INSECURE_REGISTRIES": registry.address}
    [host] = start_hosts(1, cluster.write_kubeconfig(tmp_path / "lost.kubeconfig"), **settings)
    folder = tmp_path / "host-0"
    made = host.create_receiver(
        name=SHOP,
        driver="deploymentUpdate",
        deploymentUpdateConfig={"namespace": SHOP, "name": SHOP},
        match={"repositories": [repository], "tags": {"policy": "exact", "value": "live"}},
        registry={"poll": 900},
        verify={"scheme": "none"},
    )
    wait_for(lambda: count(folder, "SELECT count(*) FROM sightings WHERE digest IS NOT NULL"))
    host.kill()
    image = build(tmp_path / "image")
    push_image(image, f"{repository}:live")
    again = ("UPDATE receivers SET poll_due = 0", "DELETE FROM chores")
    run(folder, *again)
    crash_at(host, "reconcile.seen")
    run(folder, *again)
    host.start()
    [found] = wait_for(host.executions)
    assert (found["receiver"], host.wait_for_end("live")["state"]) == (made["id"], "succeeded")
    spec = cluster.get("Deployment", SHOP, SHOP)["spec"]["template"]["spec"]
    assert spec["containers"][0]["image"] == f"{repository}:live@{image.digest}"


def deployment(image: str) -> dict[str, Any]:
    labels = {"app": SHOP}
    container = {"name": SHOP, "image": image}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": SHOP, "namespace": SHOP},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }
