"""Executions a second of the local engine, with a driver that does nothing, on one core."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import rows, targets
from tests.benchmarks.figures import Figure
from tests.benchmarks.load import SERVER_CORE
from tests.support import make_service, sqlite_url, wait_for

COUNT = 2_000
ROUNDS = 3


def measure() -> Iterator[Figure]:
    """Claim, execute and record what waits, each in a slot of its own."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {SERVER_CORE})
    try:
        turns = [_drain() for _ in range(ROUNDS)]
    finally:
        os.sched_setaffinity(0, before)
    rates, cpu = zip(*turns, strict=True)
    yield Figure("executions, stub driver, SQLite: rate", "a second", rates)
    yield Figure("executions, stub driver, SQLite: CPU of one", "µs", cpu)


def _drain() -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        url = sqlite_url(Path(folder))
        targets.new_receiver(url)
        rows.add_waiting(url, COUNT)
        service = make_service(url)
        started, used = time.perf_counter(), time.process_time()
        with service:
            wait_for(lambda: not service.store.executions.backlog().open, 300)
            seconds, used = time.perf_counter() - started, time.process_time() - used
    return COUNT / seconds, used / COUNT * 1e6
