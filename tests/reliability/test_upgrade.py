"""An upgrade that nobody notices: the first release and this one side by side, under load."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.e2e.host import PROGRAM, Host
from tests.reliability.conftest import SETTINGS, endpoints
from tests.reliability.farm import Farm
from tests.reliability.judge import judge
from tests.reliability.load import Load, pushes
from tests.reliability.release import build
from tests.servers.postgres import Postgres
from tests.support import SECRET, wait_for
from webhook_service.store import migrate

UNDATED = "SELECT count(*) FROM executions WHERE state = 'succeeded' AND changed IS NULL"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), pytest.mark.history]


@pytest.fixture(scope="module")
def first_release(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build(tmp_path_factory.mktemp("first-release"))


@pytest.fixture
def database(postgres: Postgres, first_release: str) -> str:
    """The URL of a database as the first release has it."""
    url = postgres.new_database()
    assert run_migrate(first_release, url).returncode == 0
    return url


@pytest.fixture
def site(
    tmp_path: Path, farm: Farm, database: str, first_release: str
) -> Iterator[tuple[list[Host], list[Host]]]:
    """Two hosts of the first release, which run, and two of this one, which do not."""
    settings = SETTINGS | {"DATABASE_URL": database}

    def host(name: str, program: str) -> Host:
        folder = tmp_path / name
        folder.mkdir()
        return Host(folder, farm.kubeconfig, settings, program=program)

    with ExitStack() as stack:
        old = [host(f"old-{number}", first_release) for number in range(2)]
        new = [host(f"new-{number}", PROGRAM) for number in range(2)]
        for each in old:
            stack.enter_context(each)
        for each in new:
            each.api.headers["Authorization"] = old[0].api.headers["Authorization"]
            stack.callback(each.__exit__)
        yield old, new


def run_migrate(program: str, url: str, *words: str) -> "subprocess.CompletedProcess[str]":
    env = os.environ | {"WEBHOOK_SERVICE_DATABASE_URL": url, "WEBHOOK_SERVICE_SECRET_KEY": SECRET}
    return subprocess.run(
        [program, "migrate", *words], env=env, capture_output=True, text=True, timeout=120
    )


def test_old_and_new_hosts_side_by_side_lose_nothing_and_reorder_nothing(
    site: tuple[list[Host], list[Host]],
    farm: Farm,
    database: str,
    long: bool,
    seed: int,
) -> None:
    old, new = site
    count, rate = (1000, 40) if long else (60, 15)
    found = endpoints(farm, old)
    urls = {
        name: [each.replace(old[0].url, host.url) for host in (*old, *new)]
        for name, (each, _) in found.items()
    }
    load = Load(urls, pushes(farm.names, 100_000, seed), rate)

    def more_come() -> None:
        """Wait until whoever runs now has taken some more."""
        before = len(load.accepted)
        wait_for(lambda: len(load.accepted) >= before + count, 300)

    with load:
        more_come()
        checked = run_migrate(PROGRAM, database, "--check")
        assert (checked.returncode, "this version needs" in checked.stdout) == (1, True)
        done = run_migrate(PROGRAM, database)
        assert done.returncode == 0, done.stderr
        assert run_migrate(PROGRAM, database, "--check").returncode == 0
        for leaving, coming in zip(old, new, strict=True):
            more_come()
            coming.start()
            more_come()  # of both versions at once
            leaving.process.stop()
        load.finish()
    states = judge(farm, load, new[0])
    print(f"{len(load.pushes)} pushes: {dict(states)}")
    assert undated(database) > 0, "the first release did nothing after the migration"
    for name, receiver in ((each["name"], each["id"]) for each in receivers_of(new[0])):
        answer = new[0].api.get(f"/receivers/{receiver}/history")
        assert answer.status_code == 200, answer.text
        assert answer.json()["data"][0]["image"].startswith(farm.image(name).partition("@")[0])
    assert run_migrate(PROGRAM, database).returncode == 0
    assert undated(database) == 0


def undated(url: str) -> int:
    """How many executions do not say when they changed their target: hosts of 0.1.0 leave them."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        ((count,),) = connection.execute(UNDATED).fetchall()
    return int(count)


def receivers_of(host: Host) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = host.api.get("/receivers").json()["data"]
    return found


def test_the_first_release_refuses_a_newer_database_and_says_so(
    first_release: str, database: str
) -> None:
    assert run_migrate(PROGRAM, database).returncode == 0
    checked = run_migrate(first_release, database, "--check")
    assert checked.returncode == 1
    assert migrate.HEAD in checked.stdout
