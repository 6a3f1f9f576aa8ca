"""kill -9 of the whole service every two seconds, under load."""

import random
import time
from collections.abc import Sequence

import pytest

from tests.e2e.host import Host
from tests.reliability.conftest import StartHosts, endpoints
from tests.reliability.farm import Farm
from tests.reliability.judge import judge
from tests.reliability.load import Load, pushes

EVERY = 2.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def kill_under_load(load: Load, hosts: Sequence[Host], seed: int) -> int:
    """Kill one host after the other while pushes come in; gives how often."""
    choose = random.Random(seed)
    kills = 0
    with load:
        while load.going:
            time.sleep(EVERY * choose.uniform(0.5, 1.5))
            host = choose.choice(hosts)
            host.kill()
            host.start()
            kills += 1
    return kills


def test_kills_lose_nothing_and_reorder_nothing_on_sqlite(
    farm: Farm, start_hosts: StartHosts, long: bool, seed: int
) -> None:
    hosts = start_hosts(1)
    count, rate = (10_000, 40) if long else (500, 25)
    load = Load(endpoints(farm, hosts), pushes(farm.names, count, seed), rate)
    kills = kill_under_load(load, hosts, seed)
    states = judge(farm, load, hosts[0])
    print(f"{count} pushes, {kills} kills: {dict(states)}")
    assert kills >= (50 if long else 2)


def test_kills_of_two_hosts_lose_nothing_and_reorder_nothing_on_postgresql(
    farm: Farm, start_hosts: StartHosts, database: str, long: bool, seed: int
) -> None:
    hosts = start_hosts(2, DATABASE_URL=database)
    count, rate = (10_000, 40) if long else (500, 25)
    load = Load(endpoints(farm, hosts), pushes(farm.names, count, seed), rate)
    kills = kill_under_load(load, hosts, seed)
    states = judge(farm, load, hosts[0])
    print(f"{count} pushes, {kills} kills: {dict(states)}")
    assert kills >= (50 if long else 2)
