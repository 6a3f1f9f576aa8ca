"""Metrics of a worker: each child counts, and the parent serves what comes together.

Prometheus' client keeps the figures of the children in files that it maps into memory:
https://prometheus.github.io/client_python/multiprocess/
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from tempfile import TemporaryDirectory

from webhook_service.errors import SettingsError
from webhook_service.telemetry.observer import Observer, WorkersBusy

FOLDER = "PROMETHEUS_MULTIPROC_DIR"

log = logging.getLogger(__name__)


@contextmanager
def worker_metrics(address: str | None) -> Iterator[None]:
    """Serve the metrics of the children that are forked meanwhile; without an address nothing.

    A host on the same machine may have the address: then the worker works without, and says so.
    """
    if address is None:
        yield
        return
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.multiprocess import MultiProcessCollector

    from webhook_service.telemetry.page import serve

    with TemporaryDirectory(prefix="webhook-service-metrics-") as folder, ExitStack() as last:
        registry = CollectorRegistry()
        MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
        ProcessCollector(registry=registry)
        try:
            last.callback(serve(registry, address))
        except SettingsError as exc:
            log.warning("%s Give the worker an address of its own: it serves no metrics.", exc)
        else:
            os.environ[FOLDER] = folder
            last.callback(os.environ.pop, FOLDER)
        yield


def child_counters(place: int, now: Callable[[], datetime]) -> Observer:
    """What a child counts with.

    Args:
        place: the child's in its pool: whoever takes a dead child's place goes on counting there,
            so that the files do not grow in number.
    """
    if FOLDER not in os.environ:
        return Observer()
    from prometheus_client import CollectorRegistry, values

    from webhook_service.telemetry.counters import Counters

    values.ValueClass = values.MultiProcessValue(lambda: place)  # type: ignore[no-untyped-call]
    counters = Counters(CollectorRegistry(), now)
    counters.tell(WorkersBusy(0))
    return counters
