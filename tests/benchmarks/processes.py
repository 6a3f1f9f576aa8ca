"""Accepted pushes a second of two host processes on one PostgreSQL, beside one process."""

import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.benchmarks import load, targets
from tests.benchmarks.figures import Figure, ratios
from tests.benchmarks.targets import Target
from tests.servers.postgres import Postgres

CONNECTIONS = (16, 64)
ROUNDS = 5
SECONDS = 3.0
WARM_UP = 3.0
# By then each process has told how often it has committed.
TOLD_SECONDS = 1.5
ONE, TWO = "one process, PostgreSQL", "two processes, PostgreSQL"
FLOOR = 1.6
Found = dict[tuple[str, int], list[tuple[load.Load, float]]]


def measure() -> Iterator[Figure]:
    """Both in turns, each on an empty database, with two cores of their own if there are three."""
    cores = sorted(os.sched_getaffinity(0))
    # On two cores all share both: then the rates say little, and the processor time all the same.
    servers = cores[:2] if len(cores) > 2 else cores
    database = set(cores) - set(servers) or set(cores)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        try:
            with load.kept_on(database):
                postgres = stack.enter_context(Postgres())
        except pytest.skip.Exception as exc:
            raise load.Missing(str(exc)) from exc
        stack.enter_context(load.on_load_core())
        started = []
        for name, count in ((ONE, 1), (TWO, 2)):
            url, place = postgres.new_database(), Path(folder) / str(count)
            place.mkdir()
            target = targets.hosts(name, url, place, targets.new_receiver(url), count, servers)
            started.append(stack.enter_context(target))
        found = _rotate(started)
    for (name, connections), turns in found.items():
        place = f"{name}, {connections} connections"
        yield Figure(f"{place}: rate", "calls/s", [each.rate for each, _ in turns])
        yield Figure(f"{place}: CPU a call", "µs", [each.cpu for each, _ in turns])
        yield Figure(f"{place}: writes a commit", "", [size for _, size in turns])
    for connections in CONNECTIONS:
        one, two = ([each for each, _ in found[name, connections]] for name in (ONE, TWO))
        rates = [each.rate for each in two], [each.rate for each in one]
        times = [each.cpu for each in two], [each.cpu for each in one]
        yield ratios(f"two processes / one, {connections} connections: rate", *rates, floor=FLOOR)
        yield ratios(f"two processes / one, {connections} connections: CPU a call", *times)


def _rotate(servers: Sequence[Target]) -> Found:
    found: Found = defaultdict(list)
    for server in servers:
        server.run(16, WARM_UP)
    for _ in range(ROUNDS):
        for connections in CONNECTIONS:
            for server in servers:
                before = _written(server)
                turn = server.run(connections, SECONDS)
                writes, commits = (
                    now - then for now, then in zip(_written(server), before, strict=True)
                )
                found[server.name, connections].append((turn, writes / commits))
    return found


def _written(server: Target) -> tuple[float, float]:
    """How many writes and commits a server has made, in all its processes."""
    time.sleep(TOLD_SECONDS)
    text = httpx.get(f"http://127.0.0.1:{server.port}/metrics", timeout=30).text
    values = {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    return values["webhook_writes_total"], values["webhook_commits_total"]
