"""PostgreSQL crashes under load: nobody is told of a write that may be lost, nothing is stuck."""

import random
import time

import httpx
import pytest

from tests.reliability.conftest import StartHosts, endpoints
from tests.reliability.farm import Farm
from tests.reliability.judge import judge
from tests.reliability.load import Load, pushes
from tests.servers.postgres import Postgres
from tests.support import wait_for
from webhook_service.testing.samples import dockerhub_push

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_crashes_of_postgresql_lose_nothing_and_need_no_restart(
    farm: Farm,
    start_hosts: StartHosts,
    database: str,
    postgres: Postgres,
    long: bool,
    seed: int,
) -> None:
    hosts = start_hosts(2, DATABASE_URL=database)
    count, rate = (10_000, 50) if long else (400, 25)
    load = Load(endpoints(farm, hosts), pushes(farm.names, count, seed), rate)
    choose = random.Random(seed)
    crashes = 0
    with load:
        while load.going:
            time.sleep(choose.uniform(5, 20) if long else choose.uniform(1, 2.5))
            postgres.stop("immediate")
            time.sleep(choose.uniform(0, 5) if long else choose.uniform(0, 1))
            postgres.start()
            crashes += 1
    states = judge(farm, load, hosts[0])
    print(f"{count} pushes, {crashes} crashes, refused {load.refused}: {dict(states)}")
    assert crashes >= 3
    assert set(load.refused) <= {503}


def test_without_its_database_the_endpoint_says_when_to_come_again(
    farm: Farm, start_hosts: StartHosts, database: str, postgres: Postgres
) -> None:
    hosts = start_hosts(1, DATABASE_URL=database)
    [url] = endpoints(farm, hosts)["shop-1"]
    body = dockerhub_push("acme/shop", "1")
    postgres.stop("immediate")
    try:
        answer = httpx.post(url, content=body, timeout=20)
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
    finally:
        postgres.start()
    started = time.monotonic()
    wait_for(lambda: httpx.post(url, content=body, timeout=20).status_code == 200)
    assert time.monotonic() - started < 5
