"""Executions per second of the Celery engine with a driver that does nothing, on each broker."""

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from tests.benchmarks.figures import Figure
from tests.engine.celery_site import Site
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.redis import Redis
from tests.support import push, sqlite_url, wait_for

EXECUTIONS = 500
ROUNDS = 3


def measure() -> Iterator[Figure]:
    """From the first execution to the last, with all of them accepted before; two processes."""
    brokers: tuple[tuple[str, AbstractContextManager[RabbitMQ | Redis]], ...] = (
        ("rabbitmq", RabbitMQ()),
        ("redis", Redis()),
    )
    for name, broker in brokers:
        with tempfile.TemporaryDirectory() as folder, broker as running:
            with Site(sqlite_url(Path(folder)), running.url, Path(folder), lease=30) as site:
                values = [_rate(site, str(number)) for number in range(ROUNDS)]
        yield Figure(f"executions, celery on {name}, SQLite", "/s", values)


def _rate(site: Site, tag: str) -> float:
    for number in range(EXECUTIONS):
        push(site.service, site.receiver(f"shop-{tag}-{number}"), tag)
    worker = site.start_worker(2)
    wait_for(lambda: len(site.calls(tag)) == EXECUTIONS, 300)
    worker.stop()
    moments = [call.at for call in site.calls(tag)]
    return (EXECUTIONS - 1) / (max(moments) - min(moments))
