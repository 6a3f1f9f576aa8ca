"""Metrics: what was decided and done, as Prometheus counters, histograms and gauges.

Labels are codes, states, and names of drivers and formats; never a key, an image or a project.
Each service has a registry of its own, and none unless ``WEBHOOK_SERVICE_METRICS_LISTEN`` asks for
it: the client library takes a good part of a start.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    start_http_server,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from webhook_service.errors import Unavailable
from webhook_service.model.delivery import Delivery
from webhook_service.model.execution import ENDED, Claim, ExecutionState, Verdict
from webhook_service.store.store import Store
from webhook_service.telemetry.observer import Observer

ACCEPT_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
STEP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
END_BUCKETS = (0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
# Codes that plug-ins choose become labels; what is no code, or one too many, is counted as this.
OTHER = "other"
MAX_CODES = 200

_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")


class Metrics(Observer):
    """An observer that counts.

    Args:
        store: asked at each scrape for what is waiting.
    """

    def __init__(self, store: Store) -> None:
        self.registry = registry = CollectorRegistry()
        registry.register(_Backlog(store))
        registry.register(_Writes(store))
        ProcessCollector(registry=registry)
        self._codes: set[str] = set()
        self._deliveries = Counter(
            "webhook_deliveries",
            "Calls that were stored: each thing that a call spoke of, by the decision on it.",
            ("format", "state", "reason"),
            registry=registry,
        )
        self._refused = Counter(
            "webhook_refused_calls", "Calls that were refused.", ("code",), registry=registry
        )
        self._limits = Counter(
            "webhook_limit_hits",
            "Calls and connections that met a limit, and were refused unseen.",
            ("limit",),
            registry=registry,
        )
        self._accept = Histogram(
            "webhook_accept_seconds",
            "From a call's arrival to its commit.",
            buckets=ACCEPT_BUCKETS,
            registry=registry,
        )
        self._start = Histogram(
            "webhook_start_seconds",
            "From a call's arrival to the driver's first call, unless it was held back.",
            ("driver",),
            buckets=END_BUCKETS,
            registry=registry,
        )
        self._steps = Histogram(
            "webhook_step_seconds",
            "One call of a driver, by what it came to.",
            ("driver", "state", "reason"),
            buckets=STEP_BUCKETS,
            registry=registry,
        )
        self._attempts = Counter(
            "webhook_attempts",
            "Attempts that are over, by what they came to.",
            ("driver", "state"),
            registry=registry,
        )
        self._end = Histogram(
            "webhook_end_seconds",
            "From a call's arrival to the end of an execution that a driver ended.",
            ("driver", "state"),
            buckets=END_BUCKETS,
            registry=registry,
        )
        self._lost = Counter(
            "webhook_lost_leases", "Executions whose worker was lost.", registry=registry
        )
        self._fenced = Counter(
            "webhook_fenced_results",
            "Results refused because the worker had lost its execution.",
            registry=registry,
        )
        self._busy = Gauge(
            "webhook_busy_workers", "Workers that run a driver now.", registry=registry
        )
        self._abandoned = Gauge(
            "webhook_abandoned_workers",
            "Workers that hang in a driver that was given up.",
            registry=registry,
        )
        self._connections = Gauge(
            "webhook_open_connections", "Connections that are open now.", registry=registry
        )
        self._callers = Gauge(
            "webhook_waiting_callers",
            "Callers that wait for what comes of their call.",
            registry=registry,
        )

    def decided(self, delivery: Delivery, format_name: str, seconds: float) -> None:
        """Count a stored call: each item, and the call as a whole if it has none."""
        items = [(item.state, item.reason) for item in delivery.items]
        for state, reason in items or [(delivery.state, delivery.reason)]:
            self._deliveries.labels(format_name, state, self._code(reason)).inc()
        self._accept.observe(seconds)

    def refused(self, code: str) -> None:
        """Count a refused call."""
        self._refused.labels(code).inc()

    def limited(self, limit: str) -> None:
        """Count what met a limit."""
        self._limits.labels(limit).inc()

    def stepped(self, claim: Claim, verdict: Verdict, seconds: float) -> None:
        """Count and time a driver's step, and how long the first one was waited for."""
        execution = claim.execution
        if claim.attempt == 1 and not claim.resumed and execution.reason is None:
            waited = _age(execution.created) - seconds
            self._start.labels(execution.driver).observe(max(waited, 0.0))
        labels = (execution.driver, verdict.state, self._code(verdict.reason))
        self._steps.labels(*labels).observe(seconds)

    def recorded(self, claim: Claim, verdict: Verdict) -> None:
        """Count an attempt's end, and time the execution's."""
        if verdict.state is ExecutionState.WAITING:
            return
        labels = (claim.execution.driver, verdict.state)
        self._attempts.labels(*labels).inc()
        if verdict.state in ENDED:
            self._end.labels(*labels).observe(max(_age(claim.execution.created), 0.0))

    def fenced(self, claim: Claim) -> None:
        """Count a refused result."""
        self._fenced.inc()

    def lost(self, count: int) -> None:
        """Count lost leases."""
        self._lost.inc(count)

    def busy(self, workers: int) -> None:
        """Show how many workers are busy."""
        self._busy.set(workers)

    def abandoned(self, workers: int) -> None:
        """Show how many workers hang."""
        self._abandoned.set(workers)

    def connected(self, connections: int) -> None:
        """Show how many connections are open."""
        self._connections.set(connections)

    def awaited(self, callers: int) -> None:
        """Show how many callers wait."""
        self._callers.set(callers)

    def serve(self, host: str, port: int) -> Callable[[], None]:
        """Serve ``/metrics`` on an address of its own; gives a function that ends it.

        Raises:
            OSError: the address is taken.
        """
        server, thread = start_http_server(port, host, self.registry)

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return stop

    def _code(self, code: str | None) -> str:
        """The label for a code that a plug-in may have chosen."""
        if not code:
            return ""
        if code not in self._codes:
            if len(self._codes) >= MAX_CODES or not _CODE.fullmatch(code):
                return OTHER
            self._codes.add(code)
        return code


class _Backlog(Collector):
    """What waits in the database, so that every host shows the same; nothing while it is away."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[GaugeMetricFamily]:
        executions, due = self.describe()
        try:
            for state, count in self._store.executions.counts().items():
                executions.add_metric([state], count)
            oldest = self._store.executions.oldest_due()
        except Unavailable:
            return
        due.add_metric([], 0.0 if oldest is None else max(_age(oldest), 0.0))
        yield from (executions, due)

    def describe(self) -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
        """Nothing is read from the database before a scrape."""
        return (
            GaugeMetricFamily(
                "webhook_executions", "Executions that have not ended, by state.", labels=["state"]
            ),
            GaugeMetricFamily(
                "webhook_oldest_due_seconds",
                "For how long the oldest execution has been due that waits for a worker.",
                labels=[],
            ),
        )


class _Writes(Collector):
    """The writer of this process."""

    def __init__(self, store: Store) -> None:
        self._database = store.database

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        written = self._database.written
        yield GaugeMetricFamily(
            "webhook_waiting_writes", "Writes that wait for a commit.", value=written.waiting
        )
        yield CounterMetricFamily(
            "webhook_writes", "Writes that were committed.", value=written.jobs
        )
        yield CounterMetricFamily(
            "webhook_commits",
            "Commits; writes divided by commits is the size of a group.",
            value=written.groups,
        )


def _age(moment: datetime) -> float:
    return (datetime.now(UTC) - moment).total_seconds()
