"""Sockets that send too slowly, or nothing, while good traffic comes in."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import count, cycle
from multiprocessing import get_context

import httpx
import pytest

from tests.reliability.conftest import StartHosts, endpoints
from tests.reliability.farm import REPOSITORY, Farm
from tests.reliability.slow import Attack
from webhook_service.testing.samples import dockerhub_push

CLOSED_WITHIN = 15.0
# The sockets' own clocks run late when the machine is busy.
SLACK = 5.0
P99 = 0.5


pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def good_traffic(
    urls: Iterator[str], tags: Iterator[int], ended: Callable[[], bool]
) -> list[float]:
    """One push after the other until the end, at least 100; gives what each took, sorted."""
    taken: list[float] = []
    with httpx.Client(timeout=10) as client:
        while len(taken) < 100 or not ended():
            body = dockerhub_push(REPOSITORY, str(next(tags)))
            started = time.monotonic()
            answer = client.post(next(urls), content=body)
            taken.append(time.monotonic() - started)
            assert answer.status_code == 200, answer.text
            time.sleep(0.02)
    return sorted(taken)


def percentile(values: Sequence[float], part: float) -> float:
    return values[int(len(values) * part)]


def test_slow_sockets_are_closed_while_good_traffic_passes(
    farm: Farm, start_hosts: StartHosts, long: bool
) -> None:
    (host,) = start_hosts(1)
    urls = [url for (url,) in endpoints(farm, [host]).values()]
    path = urls[0].removeprefix(host.url)
    sockets, seconds = (2000, 300.0) if long else (300, 2.0)
    attack = Attack(int(host.url.rpartition(":")[2]), path, sockets, seconds)
    each, tags = cycle(urls), count(1)
    alone = percentile(good_traffic(each, tags, lambda: True), 0.99)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        running = pool.submit(attack.run)
        taken = good_traffic(each, tags, running.done)
        lives = running.result()
    p99 = percentile(taken, 0.99)
    print(f"{len(lives)} sockets, closed after {max(lives):.1f} s at the latest")
    print(f"{len(taken)} pushes, p50 {percentile(taken, 0.5):.3f} s, p99 {p99:.3f} s")
    print(f"p99 without the attack {alone:.3f} s")
    assert len(lives) >= sockets
    assert max(lives) < CLOSED_WITHIN + SLACK
    assert p99 < max(P99, 2 * alone)
