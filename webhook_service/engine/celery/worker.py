"""The worker: Celery's prefork pool over the installed drivers.

The parent process holds the broker's connection and nothing else that a fork may not share: each
child opens the database for itself. A driver that crashes, hangs or leaks takes down its child.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import Any

from billiard import current_process
from celery import signals
from celery.exceptions import CPendingDeprecationWarning

from webhook_service.engine.celery.app import add_task, make_app
from webhook_service.engine.celery.child import Child
from webhook_service.engine.celery.consumer import Consumer, use_redis_transport
from webhook_service.engine.notify import with_notices
from webhook_service.errors import WebhookServiceError
from webhook_service.plugins.instances import allowed_drivers, new_drivers
from webhook_service.registry.registries import Registries
from webhook_service.settings import Settings
from webhook_service.store.store import open_store
from webhook_service.telemetry.observer import Observers
from webhook_service.telemetry.traces import trace_to
from webhook_service.telemetry.worker_metrics import child_counters, worker_metrics

log = logging.getLogger(__name__)


class Worker:
    """One worker process with its children; it ends on SIGTERM, after what runs.

    Args:
        concurrency: how many children, each running one execution at a time.

    Raises:
        SettingsError: a setting cannot be used, or the schema does not fit.
        StoreUnavailable: the database does not answer.
    """

    def __init__(self, settings: Settings, concurrency: int) -> None:
        self._plugins = allowed_drivers(settings)
        # Imported before the fork: children share the code, and no step's time is spent on it.
        log.debug("drivers: %s", ", ".join(self._plugins.names))
        open_store(settings).close()
        self._settings = settings
        self._concurrency = concurrency
        # Before anything looks up the transport: Kombu remembers what it found.
        use_redis_transport()
        self._app = make_app(settings)
        self._child: Child | None = None
        self._end_traces: Callable[[], None] = lambda: None

    def run(self, on_ready: Callable[[], None]) -> int:
        """Take executions until a signal ends it; gives the exit code."""
        # It asks for a decision that is made: a step goes on while the broker is away.
        warnings.simplefilter("ignore", CPendingDeprecationWarning)
        add_task(self._app, self._execute)
        signals.setup_logging.connect(_keep_logging, weak=False)
        signals.worker_ready.connect(lambda **_: on_ready(), weak=False)
        signals.worker_process_init.connect(self._open_early, weak=False)
        signals.worker_process_shutdown.connect(self._close, weak=False)
        worker = self._app.Worker(
            consumer_cls=Consumer,
            pool="prefork",
            concurrency=self._concurrency,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            quiet=True,
        )
        with worker_metrics(self._settings.metrics_listen):
            worker.start()
        return worker.exitcode or 0

    def _execute(self, execution: str, redelivered: bool) -> None:
        try:
            self._opened().run(execution, redelivered)
        except (SystemExit, KeyboardInterrupt) as exc:
            # Celery would end the whole worker: a driver may not.
            log.error("The driver of %s tried to end its process: %r", execution, exc)
        except Exception as exc:
            log.warning("Execution %s did not run, and is published again: %s", execution, exc)

    def _opened(self) -> Child:
        """What this child runs executions with: opened after the fork, and kept."""
        if self._child is None:
            self._child = self._open()
        return self._child

    def _open(self) -> Child:
        settings = self._settings
        self._end_traces = trace_to(settings.otlp_endpoint)
        store = open_store(settings, settings.lease_seconds)
        return Child(
            store,
            with_notices(new_drivers(self._plugins, settings.driver_options), settings),
            Registries(settings),
            Observers(child_counters(current_process().index, store.now)),
            settings.step_seconds,
            settings.rollout_seconds,
        )

    def _open_early(self, **_: Any) -> None:
        try:
            self._opened()
        except WebhookServiceError as exc:
            log.warning("The database is opened with the first execution: %s", exc)

    def _close(self, **_: Any) -> None:
        if self._child is not None:
            self._child.close()
            self._end_traces()


def _keep_logging(**_: Any) -> None:
    """That somebody listens to the signal keeps Celery from configuring the log."""
