"""Metrics: what was decided and done, as Prometheus counters and histograms.

Labels are codes, names of drivers and formats, and states; never a key, an image or a project.
Each service has a registry of its own, and none unless ``WEBHOOK_SERVICE_METRICS_LISTEN`` asks for
it: the client library takes a good part of a start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from webhook_service.delivery import Delivery
from webhook_service.execution import Claim, Verdict
from webhook_service.observer import Observer

ACCEPT_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
STEP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics(Observer):
    """An observer that counts.

    Args:
        counts: the number of executions in each state now, asked for at each scrape.
    """

    def __init__(self, counts: Callable[[], Mapping[str, int]]) -> None:
        self.registry = registry = CollectorRegistry()
        registry.register(_Executions(counts))
        self._deliveries = Counter(
            "webhook_deliveries",
            "Calls that were stored, by decision and by the reason of each item.",
            ("format", "state", "reason"),
            registry=registry,
        )
        self._refused = Counter(
            "webhook_refused_calls", "Calls that were refused.", ("code",), registry=registry
        )
        self._accept = Histogram(
            "webhook_accept_seconds",
            "From a call's arrival to its commit.",
            buckets=ACCEPT_BUCKETS,
            registry=registry,
        )
        self._steps = Histogram(
            "webhook_step_seconds",
            "One call of a driver, by what it came to.",
            ("driver", "state", "reason"),
            buckets=STEP_BUCKETS,
            registry=registry,
        )
        self._lost = Counter(
            "webhook_lost_leases", "Executions whose worker was lost.", registry=registry
        )

    def decided(self, delivery: Delivery, format_name: str, seconds: float) -> None:
        """Count a stored call: each item, and the call as a whole if it has none."""
        items = [(item.state, item.reason) for item in delivery.items]
        for state, reason in items or [(delivery.state, delivery.reason)]:
            self._deliveries.labels(format_name, state, reason or "").inc()
        self._accept.observe(seconds)

    def refused(self, code: str) -> None:
        """Count a refused call."""
        self._refused.labels(code).inc()

    def stepped(self, claim: Claim, verdict: Verdict, seconds: float) -> None:
        """Count and time a driver's step."""
        labels = (claim.execution.driver, verdict.state, verdict.reason or "")
        self._steps.labels(*labels).observe(seconds)

    def lost(self, count: int) -> None:
        """Count lost leases."""
        self._lost.inc(count)

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


class _Executions(Collector):
    """Gauges read from the database, so that every host shows the same."""

    def __init__(self, counts: Callable[[], Mapping[str, int]]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[GaugeMetricFamily]:
        gauge = GaugeMetricFamily("webhook_executions", "Executions by state.", labels=["state"])
        for state, count in self._counts().items():
            gauge.add_metric([state], count)
        yield gauge

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing is read from the database before a scrape."""
        yield GaugeMetricFamily("webhook_executions", "Executions by state.", labels=["state"])
