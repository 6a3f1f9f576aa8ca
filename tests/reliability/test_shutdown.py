"""SIGTERM under load: what was stored is answered, and a pair of hosts refuses nobody."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
import pytest

from tests.e2e.host import Host
from tests.reliability.conftest import StartHosts, endpoints
from tests.reliability.farm import REPOSITORY, Farm
from tests.reliability.judge import judge
from tests.reliability.load import Load, pushes
from tests.support import wait_for
from webhook_service.testing.samples import dockerhub_push

DRAINED_WITHIN = 10.0
SENDERS = 8

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass
class Stream:
    """One sender on one connection that never tries again: its pushes until the host is gone."""

    url: str
    name: str
    answered: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)

    def send(self) -> None:
        with httpx.Client(timeout=15) as client:
            number = 0
            while True:
                tag = f"{self.name}-{(number := number + 1)}"
                try:
                    answer = client.post(self.url, content=dockerhub_push(REPOSITORY, tag))
                except httpx.TransportError:
                    return
                if answer.status_code == 200:
                    self.answered.add(tag)
                else:
                    self.refused.append(answer.text)
                if answer.headers.get("connection") == "close":
                    return


def end(host: Host) -> float:
    """Send SIGTERM; gives the seconds until the process has ended in good order."""
    started = time.monotonic()
    host.process.stop(patience=30)
    assert host.process.exit_code == 0, host.process.tail()
    return time.monotonic() - started


def stored(host: Host) -> set[str]:
    """The tags of all deliveries that the host has stored."""
    tags: set[str] = set()
    query = {"limit": "100"}
    while True:
        page = host.api.get("/deliveries", params=query).json()
        tags |= {item["subject"].rpartition(":")[2] for d in page["data"] for item in d["items"]}
        if "next" not in page["links"]:
            return tags
        query["marker"] = httpx.URL(page["links"]["next"]).params["marker"]


def test_all_that_is_stored_while_the_host_ends_is_answered(
    farm: Farm, start_hosts: StartHosts, long: bool
) -> None:
    (host,) = start_hosts(1)
    urls = [url for (url,) in endpoints(farm, [host]).values()]
    for round_ in range(10 if long else 2):
        streams = [Stream(urls[number], f"r{round_}s{number}") for number in range(SENDERS)]
        threads = [threading.Thread(target=stream.send) for stream in streams]
        for thread in threads:
            thread.start()
        wait_for(lambda streams=streams: all(len(each.answered) > 5 for each in streams), 30)
        took = end(host)
        for thread in threads:
            thread.join()
        host.start()
        assert not [text for stream in streams for text in stream.refused]
        answered = {tag for stream in streams for tag in stream.answered}
        print(f"{len(answered)} pushes answered, ended in {took:.1f} s")
        assert {tag for tag in stored(host) if tag.startswith(f"r{round_}s")} == answered
        assert took < DRAINED_WITHIN


def restart_in_turn(load: Load, hosts: Sequence[Host]) -> int:
    """Restart one host after the other while pushes come in; gives how often."""
    restarts = 0
    with load:
        while load.going:
            host = hosts[restarts % len(hosts)]
            assert end(host) < DRAINED_WITHIN
            host.start()
            restarts += 1
    return restarts


def test_a_rolling_restart_loses_and_refuses_nothing(
    farm: Farm, start_hosts: StartHosts, database: str, long: bool, seed: int
) -> None:
    hosts = start_hosts(2, DATABASE_URL=database)
    count, rate = (10_000, 80) if long else (400, 25)
    load = Load(endpoints(farm, hosts), pushes(farm.names, count, seed), rate)
    restarts = restart_in_turn(load, hosts)
    states = judge(farm, load, hosts[0])
    print(f"{count} pushes, {restarts} restarts: {dict(states)}")
    assert restarts >= (10 if long else len(hosts))
    assert load.refused == {} and load.failed == []
