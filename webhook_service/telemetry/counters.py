"""What happened, as Prometheus counters, histograms and gauges.

Labels are codes, states, and names of drivers and formats; never a key, an image or a project. Only
refused calls name their receiver, up to a number of receivers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from webhook_service.model.execution import ENDED, ExecutionState
from webhook_service.telemetry.observer import (
    CallersWaiting,
    CallsHanging,
    ChoreFailed,
    ConnectionsOpen,
    Decided,
    Drifted,
    Happening,
    LeasesLost,
    Limited,
    Observer,
    Recorded,
    Refused,
    ResultRefused,
    Stepped,
    WorkersAbandoned,
    WorkersBusy,
    WorkersDied,
)

ACCEPT_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
STEP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
END_BUCKETS = (0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
# Codes that plug-ins choose become labels; what is no code, or one too many, is counted as this.
OTHER = "other"
MAX_CODES = 200
MAX_RECEIVERS = 200

_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")
# How the gauges of a worker's children become one.
ADDED: Literal["livesum"] = "livesum"


class Counters(Observer):
    """Counts what it is told.

    Args:
        registry: which then has the metrics.
        now: gives the time by the clock that the moments of executions are of.
    """

    def __init__(self, registry: CollectorRegistry, now: Callable[[], datetime]) -> None:
        self._now = now
        self._codes: set[str] = set()
        self._receivers: set[str] = set()
        self._deliveries = Counter(
            "webhook_deliveries",
            "Items of stored calls, by decision; a call without items counts as one.",
            ("format", "state", "reason"),
            registry=registry,
        )
        self._refused = Counter(
            "webhook_refused_calls",
            "Calls that were refused, by receiver if their key was known.",
            ("code", "receiver"),
            registry=registry,
        )
        self._limits = Counter(
            "webhook_limit_hits",
            "Calls and connections that a limit refused before anything was looked up.",
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
            "From a call's arrival to the first call of its driver; held executions do not count.",
            ("driver",),
            buckets=END_BUCKETS,
            registry=registry,
        )
        self._steps = Histogram(
            "webhook_step_seconds",
            "How long one call of a driver took, by its result.",
            ("driver", "state", "reason"),
            buckets=STEP_BUCKETS,
            registry=registry,
        )
        self._attempts = Counter(
            "webhook_attempts",
            "Attempts that have ended, by result.",
            ("driver", "state"),
            registry=registry,
        )
        self._end = Histogram(
            "webhook_end_seconds",
            "From a call's arrival to the end of its execution, if the driver ended it.",
            ("driver", "state"),
            buckets=END_BUCKETS,
            registry=registry,
        )
        self._lost = Counter(
            "webhook_lost_leases", "Executions whose worker was lost.", registry=registry
        )
        self._fenced = Counter(
            "webhook_fenced_results",
            "Results that were refused because their worker had lost the execution.",
            registry=registry,
        )
        self._busy = Gauge(
            "webhook_busy_workers",
            "Workers that run a driver now.",
            multiprocess_mode=ADDED,
            registry=registry,
        )
        self._abandoned = Gauge(
            "webhook_abandoned_workers",
            "Workers that hang in a step that was given up.",
            multiprocess_mode=ADDED,
            registry=registry,
        )
        self._hanging = Gauge(
            "webhook_hanging_calls",
            "Calls of the endpoint, the API and chores that hang in a plug-in and were given up.",
            multiprocess_mode=ADDED,
            registry=registry,
        )
        self._died = Counter(
            "webhook_dead_workers",
            "Threads of workers that ended by themselves, and were replaced.",
            registry=registry,
        )
        self._failed_chores = Counter(
            "webhook_failed_chores", "Chores that failed.", ("chore",), registry=registry
        )
        self._drifts = Counter(
            "webhook_drifts",
            "Deployed images that others took back, as they were noticed.",
            ("receiver",),
            registry=registry,
        )
        self._connections = Gauge(
            "webhook_open_connections",
            "Connections that are open now.",
            multiprocess_mode=ADDED,
            registry=registry,
        )
        self._callers = Gauge(
            "webhook_waiting_callers",
            "Callers that wait for the outcome of their call.",
            multiprocess_mode=ADDED,
            registry=registry,
        )

    def tell(self, happening: Happening) -> None:
        """Count what happened."""
        match happening:
            case Decided():
                self._count_decision(happening)
            case Refused(code, receiver):
                self._refused.labels(code, self._receiver(receiver)).inc()
            case Limited(limit):
                self._limits.labels(limit).inc()
            case Stepped():
                self._time_step(happening)
            case Recorded():
                self._count_attempt(happening)
            case ResultRefused():
                self._fenced.inc()
            case LeasesLost(count):
                self._lost.inc(count)
            case WorkersBusy(count):
                self._busy.set(count)
            case WorkersAbandoned(count):
                self._abandoned.set(count)
            case CallsHanging(count):
                self._hanging.set(count)
            case WorkersDied(count):
                self._died.inc(count)
            case ChoreFailed(chore):
                self._failed_chores.labels(self._code(chore)).inc()
            case Drifted(execution):
                self._drifts.labels(self._receiver(execution.receiver)).inc()
            case ConnectionsOpen(count):
                self._connections.set(count)
            case CallersWaiting(count):
                self._callers.set(count)

    def _count_decision(self, decided: Decided) -> None:
        """Count each item of a stored call, and the call as a whole if it has none."""
        delivery = decided.delivery
        items = [(item.state, item.reason) for item in delivery.items]
        for state, reason in items or [(delivery.state, delivery.reason)]:
            self._deliveries.labels(decided.format, state, self._code(reason)).inc()
        self._accept.observe(decided.seconds)

    def _time_step(self, step: Stepped) -> None:
        """Count and time a driver's step, and how long the first one was waited for."""
        claim, execution = step.claim, step.claim.execution
        if claim.attempt == 1 and not claim.resumed and execution.reason is None:
            waited = self._age(execution.created) - step.seconds
            self._start.labels(execution.driver).observe(max(waited, 0.0))
        labels = (execution.driver, step.verdict.state, self._code(step.verdict.reason))
        self._steps.labels(*labels).observe(step.seconds)

    def _count_attempt(self, recorded: Recorded) -> None:
        """Count an attempt's end, and time the execution's."""
        state, execution = recorded.verdict.state, recorded.claim.execution
        if state is ExecutionState.WAITING:
            return
        self._attempts.labels(execution.driver, state).inc()
        if state in ENDED:
            self._end.labels(execution.driver, state).observe(
                max(self._age(execution.created), 0.0)
            )

    def _age(self, moment: datetime) -> float:
        return (self._now() - moment).total_seconds()

    def _receiver(self, receiver: str | None) -> str:
        """The label for a receiver; one too many is counted with the others."""
        if receiver is None:
            return ""
        if receiver not in self._receivers:
            if len(self._receivers) >= MAX_RECEIVERS:
                return OTHER
            self._receivers.add(receiver)
        return receiver

    def _code(self, code: str | None) -> str:
        """The label for a code that a plug-in may have chosen."""
        if not code:
            return ""
        if code not in self._codes:
            if len(self._codes) >= MAX_CODES or not _CODE.fullmatch(code):
                return OTHER
            self._codes.add(code)
        return code
