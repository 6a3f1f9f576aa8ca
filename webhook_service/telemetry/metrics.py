"""Metrics of a host: what it counts, and what waits in the database and at its writer.

Each service has a registry of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client import (
    CollectorRegistry,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from webhook_service.errors import Unavailable
from webhook_service.model.history.backlog import Backlog, Written
from webhook_service.telemetry.counters import Counters
from webhook_service.telemetry.kept import Kept
from webhook_service.telemetry.page import serve

WAITING_WRITES = ("webhook_waiting_writes", "Writes that wait for a commit.")
WRITES = ("webhook_writes", "Writes that were committed.")
COMMITS = (
    "webhook_commits",
    "Commits; writes divided by commits give the mean size of a group.",
)


class Metrics(Counters):
    """What a host serves.

    Args:
        backlog: asked at each scrape for what waits in the database.
        written: asked for what the writer of this process does.
        now: gives the time by the clock that the moments of executions are of.
    """

    def __init__(
        self,
        backlog: Callable[[], Backlog],
        written: Callable[[], Written],
        now: Callable[[], datetime],
    ) -> None:
        self.registry = registry = CollectorRegistry()
        registry.register(InDatabase(backlog, now))
        registry.register(_Writes(written))
        ProcessCollector(registry=registry)
        super().__init__(registry, now)

    def text(self) -> bytes:
        """All metrics, as Prometheus reads them."""
        return generate_latest(self.registry)

    def serve(self, address: str) -> Callable[[], None]:
        """Serve ``/metrics`` on an address of its own; gives a function that ends it.

        Raises:
            SettingsError: the address is taken.
        """
        return serve(self.registry, address)


class InDatabase(Collector):
    """What waits in the database, so that every host shows the same; nothing while it is away."""

    def __init__(self, backlog: Callable[[], Backlog], now: Callable[[], datetime]) -> None:
        self._backlog = Kept(backlog)
        self._now = now

    def collect(self) -> Iterator[GaugeMetricFamily]:
        executions, due = self.describe()
        try:
            backlog = self._backlog.get()
        except Unavailable:
            return
        for state, count in backlog.open.items():
            executions.add_metric([state], count)
        oldest = backlog.oldest_due
        age = 0.0 if oldest is None else (self._now() - oldest).total_seconds()
        due.add_metric([], max(age, 0.0))
        yield from (executions, due)

    def describe(self) -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
        """Nothing is read from the database before a scrape."""
        return (
            GaugeMetricFamily(
                "webhook_executions", "Executions that have not ended, by state.", labels=["state"]
            ),
            GaugeMetricFamily(
                "webhook_oldest_due_seconds",
                "How long the oldest execution that waits for a worker has been due.",
                labels=[],
            ),
        )


class _Writes(Collector):
    """The writer of this process."""

    def __init__(self, written: Callable[[], Written]) -> None:
        self._written = written

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        written = self._written()
        yield GaugeMetricFamily(*WAITING_WRITES, value=written.waiting)
        yield CounterMetricFamily(*WRITES, value=written.jobs)
        yield CounterMetricFamily(*COMMITS, value=written.groups)
