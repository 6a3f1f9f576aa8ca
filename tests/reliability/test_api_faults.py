"""The cluster's API is away, hangs, or answers with what it answers on a bad day."""

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reliability.conftest import StartHosts, endpoints
from tests.reliability.farm import Farm
from tests.reliability.judge import judge
from tests.reliability.load import Load, pushes
from tests.servers.flaky import Fault, FlakyApi

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture
def flaky(farm: Farm) -> Iterator[FlakyApi]:
    with FlakyApi(farm.cluster.url, lambda: None) as api:
        yield api


@pytest.fixture
def kubeconfig(farm: Farm, flaky: FlakyApi, tmp_path: Path) -> Path:
    """The farm's, through the proxy with the faults."""
    config = json.loads(farm.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = flaky.url
    path = tmp_path / "flaky.kubeconfig"
    path.write_text(json.dumps(config))
    return path


def test_a_bad_day_of_the_api_server_ends_with_the_newest_image_everywhere(
    farm: Farm,
    flaky: FlakyApi,
    kubeconfig: Path,
    start_hosts: StartHosts,
    long: bool,
    seed: int,
) -> None:
    [host] = hosts = start_hosts(1, kubeconfig)
    count, rate = (2_000, 20) if long else (300, 25)
    urls = endpoints(farm, hosts)
    choose = random.Random(seed)
    flaky.choose = lambda: choose.choice(list(Fault)) if choose.random() < 0.2 else None
    with Load(urls, pushes(farm.names, count, seed), rate) as load:
        load.wait()
    flaky.end_faults()
    states = judge(farm, load, host)
    print(f"{count} pushes: {dict(states)}")
    failed = host.executions(state="failed")
    assert [execution["message"] for execution in failed] == []


def test_while_the_api_server_is_away_pushes_are_kept_and_then_done(
    farm: Farm,
    flaky: FlakyApi,
    kubeconfig: Path,
    start_hosts: StartHosts,
    long: bool,
    seed: int,
) -> None:
    [host] = hosts = start_hosts(1, kubeconfig)
    urls = endpoints(farm, hosts)
    flaky.choose = lambda: Fault.REFUSED
    with Load(urls, pushes(farm.names, 2_000 if long else 100, seed), 100) as load:
        load.wait()
    time.sleep(30 if long else 2)
    assert set(map(farm.image, farm.names)) == {"docker.io/acme/shop:0"}
    flaky.end_faults()
    states = judge(farm, load, host)
    assert states["succeeded"] == len(farm.names), states
