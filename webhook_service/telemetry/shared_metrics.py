"""Metrics of host processes on one address: each counts, and each serves what comes together.

Prometheus' client keeps the figures of each process in files that it maps into memory, and whoever
takes a dead process's place goes on counting there, so no sum ever falls:
https://prometheus.github.io/client_python/multiprocess/
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    ProcessCollector,
    generate_latest,
    values,
)
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from webhook_service.model.history.backlog import Backlog, Written
from webhook_service.telemetry.counters import ADDED, Counters
from webhook_service.telemetry.metrics import COMMITS, WAITING_WRITES, WRITES, InDatabase
from webhook_service.telemetry.observer import (
    CallersWaiting,
    ConnectionsOpen,
    WorkersAbandoned,
    WorkersBusy,
)
from webhook_service.telemetry.page import serve

LABEL = "process"


class SharedMetrics(Counters):
    """What one of several processes counts, and what it serves: the sums over all of them.

    This process must not have made any metric of Prometheus' client before, and must have the
    folder in ``PROMETHEUS_MULTIPROC_DIR``.

    Args:
        place: the number of this process among them.
        folder: where all keep their figures.
        backlog, written, now: see ``Metrics``.
    """

    def __init__(
        self,
        place: int,
        folder: Path,
        backlog: Callable[[], Backlog],
        written: Callable[[], Written],
        now: Callable[[], datetime],
    ) -> None:
        values.ValueClass = values.MultiProcessValue(lambda: place)  # type: ignore[no-untyped-call]
        own = CollectorRegistry()
        super().__init__(own, now)
        for gone in (ConnectionsOpen(0), CallersWaiting(0), WorkersBusy(0), WorkersAbandoned(0)):
            self.tell(gone)  # with whoever had the place before
        self._written = written
        self._lock = threading.Lock()
        self._kept = Written(0, 0, 0)
        self._waiting = Gauge(*WAITING_WRITES, multiprocess_mode=ADDED, registry=own)
        self._writes = Counter(*WRITES, registry=own)
        self._commits = Counter(*COMMITS, registry=own)
        _write_pid(folder / f"{place}.pid")
        self.registry = CollectorRegistry()
        MultiProcessCollector(self.registry, folder)  # type: ignore[no-untyped-call]
        self.registry.register(InDatabase(backlog, now))
        self.registry.register(_Processes(folder))

    def keep(self) -> None:
        """Let all processes see what the writer of this one has done by now."""
        with self._lock:
            before, self._kept = self._kept, self._written()
            self._waiting.set(self._kept.waiting)
            self._writes.inc(self._kept.jobs - before.jobs)
            self._commits.inc(self._kept.groups - before.groups)

    def text(self) -> bytes:
        """The metrics of all processes, as Prometheus reads them."""
        self.keep()
        return generate_latest(self.registry)

    def serve(self, address: str) -> Callable[[], None]:
        """See ``Metrics.serve``."""
        return serve(self.registry, address)


class _Processes(Collector):
    """Memory, processor time and open files of each process, by its place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        found: dict[str, Metric] = {}
        for file in sorted(self._folder.glob("*.pid")):
            for metric in ProcessCollector(pid=file.read_text, registry=None).collect():
                both = found.setdefault(
                    metric.name, Metric(metric.name, metric.documentation, metric.type)
                )
                for sample in metric.samples:
                    both.add_sample(sample.name, {LABEL: file.stem}, sample.value)
        return found.values()

    def describe(self) -> Iterable[Metric]:
        """Nothing is read before a scrape."""
        return ()


def _write_pid(file: Path) -> None:
    """In one step: others read it meanwhile."""
    fresh = file.with_suffix(".new")
    fresh.write_text(str(os.getpid()))
    fresh.replace(file)
