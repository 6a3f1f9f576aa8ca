"""Workers in processes of their own count what their children do, and serve it."""

import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.engine.celery_site import Site
from tests.servers.process import free_port
from tests.servers.redis import Redis
from tests.support import push, sqlite_url, wait_for, wait_for_end

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]


def scraped(port: int) -> dict[str, float]:
    """What is served: the sums over all labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


def deploy(site: Site, tag: str, behaviour: str = "done") -> str:
    key = site.receiver(tag, behaviour=behaviour)
    (execution,) = push(site.service, key, tag).executions
    return execution


def test_a_worker_serves_what_its_children_count(redis: Redis, tmp_path: Path) -> None:
    port = free_port()
    listen = {"metrics_listen": f"127.0.0.1:{port}"}
    with Site(sqlite_url(tmp_path), redis.url, tmp_path, **listen) as site:
        site.start_worker(concurrency=2)
        for tag in ("one", "two", "three", "four"):
            assert wait_for_end(site.service, deploy(site, tag), 60).state == "succeeded"
        wait_for(lambda: scraped(port).get("webhook_end_seconds_count") == 4, 60)
        found = scraped(port)
        assert found["webhook_step_seconds_count"] == found["webhook_attempts_total"] == 4
        assert (found["webhook_busy_workers"], found["process_open_fds"] > 0) == (0, True)

        blocked = deploy(site, "blocked", "block")
        wait_for(lambda: scraped(port)["webhook_busy_workers"] == 1, 60)
        (tmp_path / "release").touch()
        wait_for_end(site.service, blocked, 60)
        wait_for(lambda: scraped(port)["webhook_busy_workers"] == 0, 60)


def test_what_a_child_counted_stays_when_it_dies(redis: Redis, tmp_path: Path) -> None:
    port = free_port()
    listen = {"metrics_listen": f"127.0.0.1:{port}"}
    with Site(sqlite_url(tmp_path), redis.url, tmp_path, **listen) as site:
        site.start_worker(concurrency=1)
        wait_for_end(site.service, deploy(site, "before"), 60)
        died = wait_for_end(site.service, deploy(site, "dies", "die"), 120)
        assert died.reason == "worker_lost"
        wait_for(lambda: scraped(port)["webhook_busy_workers"] == 0, 60)
        wait_for_end(site.service, deploy(site, "after"), 60)
        wait_for(lambda: scraped(port)["webhook_end_seconds_count"] == 2, 60)


def test_a_worker_works_where_a_host_has_its_address(redis: Redis, tmp_path: Path) -> None:
    port = free_port()
    listen = {"metrics_listen": f"127.0.0.1:{port}"}
    with Site(sqlite_url(tmp_path), redis.url, tmp_path, **listen) as site:
        site.start_worker(concurrency=1)
        second = site.start_worker(concurrency=1)
        assert "Give the worker an address of its own" in second.log.read_text()
        assert wait_for_end(site.service, deploy(site, "one"), 60).state == "succeeded"
