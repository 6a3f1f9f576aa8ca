"""Whether large tables slow a push down: one host on a small database beside one on a large one."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks import load, rows, targets
from tests.benchmarks.figures import Figure, ratios
from tests.support import PROJECT, add_inbox, make_service, receiver_body, sqlite_url

CONNECTIONS = 16
ROUNDS = 5
SECONDS = 3.0
WARM_UP = 3.0
BACKLOG = 100_000
RECEIVERS = 1_000_000
# Those that are called: few, and more than a host remembers.
CALLED = (10, 100_000)
LISTENERS = 1_000
Fill = Callable[[str], Sequence[str]]
"""Fills a database that has one receiver; gives the keys to call, instead of that one's."""


def measure_backlog() -> Iterator[Figure]:
    """100,000 executions that wait."""
    names = "nothing waits", f"{BACKLOG:,} executions wait"
    yield from _measure(names, [_keep, lambda url: rows.add_waiting(url, BACKLOG)], latency=True)


def measure_receivers() -> Iterator[Figure]:
    """A million receivers, of which some are called."""
    few = "10 receivers"
    for called in CALLED:
        many = f"{RECEIVERS:,} receivers, {called:,} are called"

        def fill(url: str, called: int = called) -> Sequence[str]:
            return rows.add_receivers(url, RECEIVERS, called)

        fills = [lambda url: rows.add_receivers(url, 10, 10), fill]
        # Receivers that are not remembered are read and compiled for each call.
        yield from _measure((few, many), fills, floor=0.85 if called == min(CALLED) else None)


def measure_inbox() -> Iterator[Figure]:
    """A thousand receivers behind one URL, of which one takes each call."""
    names = "a receiver's own URL", f"an inbox with {LISTENERS:,} receivers"
    yield from _measure(names, [_keep, _listeners], floor=0.8)


def _listeners(url: str) -> Sequence[str]:
    """Make an inbox and those who listen to it; gives its key."""
    with make_service(url, run=False, settings={"max_receivers": 0}) as service:
        inbox = service.inboxes.get(PROJECT, add_inbox(service))
        listens = {"ownUrl": False, "inboxes": [inbox.name]}
        for number in range(LISTENERS):
            repository = "acme/shop" if number == 0 else f"acme/shop-{number}"
            match = {"repositories": [repository]}
            body = receiver_body(f"listener-{number}", listen=listens, match=match)
            service.create_receiver(PROJECT, body)
        return [str(service.inboxes.describe([inbox])[inbox.id].key)]


def measure_deliveries(count: int) -> Iterator[Figure]:
    """A history of many deliveries and their executions, whose bodies are pruned."""
    names = "no history", f"{count:,} deliveries"
    yield from _measure(names, [_keep, lambda url: rows.add_history(url, count)])


def _keep(url: str) -> Sequence[str]:
    return []


def _measure(
    names: Sequence[str],
    fills: Sequence[Fill],
    latency: bool = False,
    floor: float | None = 0.85,
) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder, load.on_load_core(), ExitStack() as stack:
        servers = []
        for name, fill in zip(names, fills, strict=True):
            place = Path(folder) / str(len(servers))
            place.mkdir()
            url = sqlite_url(place)
            key = targets.new_receiver(url)
            keys = fill(url) or [key]
            servers.append(stack.enter_context(targets.host(name, url, place, keys)))
        for server in servers:
            server.run(CONNECTIONS, WARM_UP)
        turns = [[each.run(CONNECTIONS, SECONDS) for each in servers] for _ in range(ROUNDS)]
    small, large = zip(*turns, strict=True)
    for name, loads in zip(names, (small, large), strict=True):
        yield Figure(f"{name}: rate", "calls/s", [each.rate for each in loads])
        yield Figure(f"{name}: p50", "ms", [each.p50 for each in loads])
    if latency:
        p50s = ([each.p50 for each in loads] for loads in (large, small))
        yield ratios(f"p50, {names[1]} / {names[0]}", *p50s, limit=1.1)
    rates = ([each.rate for each in loads] for loads in (large, small))
    yield ratios(f"rate, {names[1]} / {names[0]}", *rates, floor=floor)
