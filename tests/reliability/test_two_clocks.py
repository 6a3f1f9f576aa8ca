"""Two hosts whose clocks are a minute apart share the work as if they were not."""

import time
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from tests.e2e.host import ENDED, Host
from tests.engine.probe import install
from tests.reliability.test_clock import faked
from tests.support import wait_for
from webhook_service.testing.samples import dockerhub_push

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PUSHES = 12
LEASE = 2


def test_twelve_pushes_are_twelve_calls_of_the_driver(database: str, tmp_path: Path) -> None:
    (tmp_path / "clock").write_text("+60")
    settings = {
        "DATABASE_URL": database,
        "SECRET_KEY": "a secret key of the tests",
        "LEASE_SECONDS": str(LEASE),
    }
    plugin = install(tmp_path / "plugin")
    with (
        host(tmp_path / "right", settings, plugin) as right,
        host(tmp_path / "skewed", settings, plugin | faked(tmp_path / "clock")) as skewed,
    ):
        for number in range(PUSHES):
            path = receiver(right, tmp_path, number)
            address = (right, skewed)[number % 2].url
            body = dockerhub_push("acme/shop", str(number))
            httpx.post(f"{address}{path}", content=body).raise_for_status()
        # They run for several leases, in which both hosts look for lost workers.
        wait_for(lambda: len(calls(tmp_path)) == PUSHES)
        time.sleep(3 * LEASE)
        (tmp_path / "release").touch()
        wait_for(lambda: all(each["state"] in ENDED for each in right.executions()))
        states = [each["state"] for each in right.executions()]
        log = skewed.process.log.read_text()
    assert states == ["succeeded"] * PUSHES
    assert sorted(calls(tmp_path)) == sorted(str(number) for number in range(PUSHES))
    assert log.count("This host's clock is 60 s") == 1


def host(folder: Path, settings: Mapping[str, str], env: Mapping[str, str]) -> Host:
    folder.mkdir()
    return Host(folder, folder / "no-cluster", settings, env)


def receiver(host: Host, folder: Path, number: int) -> str:
    """Make a receiver whose driver waits for the file ``release``; the path of its URL."""
    config = {"folder": str(folder), "target": str(number), "behaviour": "block"}
    made = host.create_receiver(
        name=f"shop-{number}", driver="stub", stubConfig=config, verify={"scheme": "none"}
    )
    return str(made["url"]).removeprefix(host.url)


def calls(folder: Path) -> list[str]:
    """The tags that the drivers of all hosts were called with."""
    file = folder / "calls"
    return [line.split()[0] for line in file.read_text().splitlines()] if file.exists() else []
