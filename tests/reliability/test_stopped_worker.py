"""A host sleeps past its leases and wakes up again: what it still wants to write is refused."""

import os
import signal
import time

import pytest

from tests.e2e.host import Host
from tests.reliability.conftest import StartHosts, endpoints
from tests.reliability.farm import Farm
from tests.reliability.judge import judge
from tests.reliability.load import Load, pushes

LEASE = 2.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]


def sleep_past_its_leases(host: Host) -> None:
    os.kill(host.process.pid, signal.SIGSTOP)
    time.sleep(LEASE + 1)
    os.kill(host.process.pid, signal.SIGCONT)


def test_a_host_that_slept_past_its_leases_changes_nothing_that_went_on(
    farm: Farm, start_hosts: StartHosts, database: str, long: bool, seed: int
) -> None:
    awake, sleeper = hosts = start_hosts(2, DATABASE_URL=database, LEASE_SECONDS=str(LEASE))
    rounds = 200 if long else 3
    urls = {name: [both[0]] for name, both in endpoints(farm, hosts).items()}
    count = rounds * 40
    with Load(urls, pushes(farm.names, count, seed), rate=12) as load:
        for _ in range(rounds):
            time.sleep(0.3)
            sleep_past_its_leases(sleeper)
    states = judge(farm, load, awake)
    print(f"{count} pushes, {rounds} rounds: {dict(states)}")
    assert not states["failed"], states
