"""How pushes may arrive, and what must run at the end of it: on every database."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.engine.shop import REPOSITORY, Shop, deployment_update
from tests.servers.flaky import Fault, FlakyApi
from tests.support import make_service, wait_for, wait_for_end
from webhook_service.service import WebhookService
from webhook_service.store.queue.queue import Fenced
from webhook_service.testing import FakeCluster

NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
T1, T2, T3 = (NOW + timedelta(minutes=minute) for minute in (1, 2, 3))
FAR = datetime(9999, 12, 31, tzinfo=UTC)
COPIES = 6


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    with FakeCluster(ready_delay=0.02) as cluster:
        yield cluster


@pytest.fixture
def api(cluster: FakeCluster) -> Iterator[FlakyApi]:
    """The way to the cluster; it can fail."""
    with FlakyApi(cluster.url, lambda: None) as api:
        yield api


@pytest.fixture
def start(
    database: str, cluster: FakeCluster, api: FlakyApi, tmp_path: Path
) -> Iterator[Callable[..., WebhookService]]:
    kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
    kubeconfig.write_text(kubeconfig.read_text().replace(cluster.url, api.url))
    drivers = {"deploymentUpdate": deployment_update(kubeconfig)}
    with ExitStack() as stack:

        def start(run: bool = True) -> WebhookService:
            return stack.enter_context(make_service(database, drivers, run=run))

        yield start


@pytest.fixture
def shop(cluster: FakeCluster, start: Callable[..., WebhookService]) -> Shop:
    return Shop(cluster, start(run=False), start)


def in_order(shop: Shop, api: FlakyApi) -> None:
    shop.start()
    for tag, at in (("1", T1), ("2", T2), ("3", T3)):
        shop.deploy(tag, at)


def queued_in_order(shop: Shop, api: FlakyApi) -> None:
    for tag, at in (("1", T1), ("2", T2), ("3", T3)):
        shop.push(tag, at)
    shop.start()


def newest_first(shop: Shop, api: FlakyApi) -> None:
    shop.start()
    for tag, at in (("3", T3), ("1", T1), ("2", T2)):
        shop.deploy(tag, at)


def copies_at_once(shop: Shop, api: FlakyApi) -> None:
    shop.start()
    threads = [threading.Thread(target=shop.push, args=("1", T1)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    states = sorted(delivery.state for delivery in shop.sent["1"])
    assert states == ["accepted", "duplicate", "duplicate"]


def crash_after_the_patch_and_an_older_push_late(shop: Shop, api: FlakyApi) -> None:
    shop.push("2", T2)
    shop.step(shop.claim())
    shop.push("1", T1)
    shop.lose_workers()
    shop.start()


def failing_and_overtaken(shop: Shop, api: FlakyApi) -> None:
    api.choose = lambda: Fault.BROKEN
    shop.start()
    shop.push("1", T1)
    wait_for(lambda: shop.state("1") == "retrying")
    shop.push("2", T2)
    wait_for(lambda: shop.state("1") == "superseded")
    api.end_faults()


def redelivered_after_three_days(shop: Shop, api: FlakyApi) -> None:
    shop.start()
    shop.deploy("2", T2)
    shop.deploy("1", T2 - timedelta(days=3))


def from_the_future(shop: Shop, api: FlakyApi) -> None:
    shop.start()
    shop.deploy("1", FAR)
    shop.deploy("2", None)


def in_the_same_second(shop: Shop, api: FlakyApi) -> None:
    shop.push("1", T1)
    shop.push("2", T1)
    shop.start()


def stale_worker_of_another_host(shop: Shop, api: FlakyApi) -> None:
    shop.push("1", T1)
    stale = shop.claim()
    shop.push("2", T2)
    shop.lose_workers()
    shop.start()
    wait_for(lambda: shop.state("2") == "succeeded")
    verdict = shop.step(stale)
    assert verdict.state == "superseded"
    with pytest.raises(Fenced):
        shop.receiving.store.claims.record(stale, verdict)


@dataclass(frozen=True)
class Row:
    """What arrives how; which tag must run, what became of each, and how often the spec changed."""

    arrive: Callable[[Shop, FlakyApi], None]
    tag: str
    states: dict[str, str]
    changes: range


DONE, OLD = "succeeded", "superseded"
ROWS = (
    Row(in_order, "3", {"1": DONE, "2": DONE, "3": DONE}, range(3, 4)),
    Row(queued_in_order, "3", {"1": OLD, "2": OLD, "3": DONE}, range(1, 2)),
    Row(newest_first, "3", {"1": OLD, "2": OLD, "3": DONE}, range(1, 2)),
    Row(copies_at_once, "1", {"1": DONE}, range(1, 2)),
    Row(crash_after_the_patch_and_an_older_push_late, "2", {"1": OLD, "2": DONE}, range(1, 2)),
    Row(failing_and_overtaken, "2", {"1": OLD, "2": DONE}, range(1, 2)),
    Row(redelivered_after_three_days, "2", {"1": OLD, "2": DONE}, range(1, 2)),
    Row(from_the_future, "2", {"1": DONE, "2": DONE}, range(2, 3)),
    Row(in_the_same_second, "2", {"1": OLD, "2": DONE}, range(1, 2)),
    Row(stale_worker_of_another_host, "2", {"1": OLD, "2": DONE}, range(1, 2)),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.arrive.__name__)
def test_the_newest_push_runs_at_the_end(row: Row, shop: Shop, api: FlakyApi) -> None:
    row.arrive(shop, api)
    shop.wait_until_idle()
    assert shop.image.split("@")[0].endswith(f"{REPOSITORY}:{row.tag}")
    assert {tag: shop.state(tag) for tag in row.states} == row.states
    assert shop.changes in row.changes


def test_shuffled_pushes_with_copies_end_with_the_newest_everywhere(
    cluster: FakeCluster, start: Callable[..., WebhookService], long: bool
) -> None:
    pushes, targets = (1000, 50) if long else (60, 6)
    chance = random.Random(20260102)
    receiving = start(run=False)
    shops = [Shop(cluster, receiving, start, f"shop-{number}") for number in range(targets)]
    arrivals = [(shops[number % targets], number) for number in range(pushes)] * COPIES
    chance.shuffle(arrivals)
    service = start()
    for shop, number in arrivals:
        shop.push(str(number), NOW + timedelta(seconds=number))
    newest = {shop.name: str(pushes - targets + number) for number, shop in enumerate(shops)}
    for shop in shops:
        for deliveries in shop.sent.values():
            assert sum(delivery.state == "accepted" for delivery in deliveries) == 1
            wait_for_end(service, deliveries[0].executions[0], 60)
        assert shop.image.endswith(f":{newest[shop.name]}")
    assert sum(shop.changes for shop in shops) <= pushes
