"""Accepted pushes a second, durable, beside a bare handler, the same by hand, and webhook."""

import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.benchmarks import load, targets
from tests.benchmarks.figures import Figure, ratios
from tests.benchmarks.targets import Target
from tests.servers.postgres import Postgres
from tests.support import sqlite_url

CONNECTIONS = (1, 16, 64)
ROUNDS = 3
SECONDS = 3.0
WARM_UP = 3.0
HOST = "host, SQLite"
POSTGRESQL = "host, PostgreSQL"
HAND = "the inserts by hand"
WEBHOOK = "webhook running /bin/true"
Loads = dict[tuple[str, int], list[load.Load]]


def measure() -> Iterator[Figure]:
    """Each server at 1, 16 and 64 connections, in rotation; each call is a new push."""
    with tempfile.TemporaryDirectory() as folder, load.on_load_core(), ExitStack() as stack:
        found = _rotate(_start(Path(folder), stack))
    for (name, connections), loads in found.items():
        place = f"{name}, {connections} connections"
        yield Figure(f"{place}: rate", "calls/s", [each.rate for each in loads])
        yield Figure(f"{place}: CPU a call", "µs", [each.cpu for each in loads])
        if name in (HOST, POSTGRESQL):
            yield Figure(f"{place}: p50", "ms", [each.p50 for each in loads])
            yield Figure(f"{place}: p99", "ms", [each.p99 for each in loads])
    for connections in CONNECTIONS:
        for other, floor in ((WEBHOOK, 4.0), (HAND, 0.6)):
            if (other, connections) in found:
                yield _compare(found, other, connections, floor)


def _start(folder: Path, stack: ExitStack) -> list[Target]:
    """All servers that this machine has; idle, they cost the others nothing."""
    servers = [targets.bare, targets.by_hand, targets.debian_webhook, _sqlite, _postgresql]
    started = []
    for number, server in enumerate(servers):
        place = folder / str(number)
        place.mkdir()
        try:
            started.append(stack.enter_context(server(place)))
        except (load.Missing, pytest.skip.Exception) as exc:
            print(f"not measured: {exc}", file=sys.stderr)
    return started


@contextmanager
def _sqlite(folder: Path) -> Iterator[Target]:
    url = sqlite_url(folder)
    with targets.host(HOST, url, folder, [targets.new_receiver(url)]) as target:
        yield target


@contextmanager
def _postgresql(folder: Path) -> Iterator[Target]:
    """The database's own processes have the other core."""
    with Postgres() as server:
        url = server.new_database()
        with targets.host(POSTGRESQL, url, folder, [targets.new_receiver(url)]) as target:
            yield target


def _rotate(servers: Sequence[Target]) -> Loads:
    found: Loads = defaultdict(list)
    for server in servers:
        server.run(16, WARM_UP)
    for _ in range(ROUNDS):
        for connections in CONNECTIONS:
            for server in servers:
                found[server.name, connections].append(server.run(connections, SECONDS))
    return found


def _compare(found: Loads, other: str, connections: int, floor: float) -> Figure:
    these, those = ([each.rate for each in found[name, connections]] for name in (HOST, other))
    target = {"floor": floor} if connections == 16 else {}
    return ratios(f"{HOST} / {other}, {connections} connections", these, those, **target)
