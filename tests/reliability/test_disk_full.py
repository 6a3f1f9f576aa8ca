"""The disk fills up under load and is freed again: no false 2xx, and no help is needed."""

import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.reliability.conftest import StartHosts, endpoints
from tests.reliability.farm import Farm
from tests.reliability.judge import judge
from tests.reliability.load import Load, pushes
from tests.servers.requirements import require
from tests.support import wait_for

MEGABYTES = 64

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 64 MB: the log of SQLite alone may take 16."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True)
    require("the right to mount a small disk", done.returncode == 0, "run the tests as root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(64 * 1024))
        except OSError:
            return ballast


def wait_for_more(load: Load) -> None:
    """Wait until a push is accepted."""
    accepted = len(load.accepted)
    wait_for(lambda: len(load.accepted) > accepted, 10)


def test_a_full_disk_is_answered_with_503_and_forgotten_when_it_is_freed(
    farm: Farm, small_disk: Path, start_hosts: StartHosts, long: bool, seed: int
) -> None:
    database = small_disk / "service.db"
    [host] = hosts = start_hosts(1, DATABASE_URL=f"sqlite:///{database}", MIN_FREE_BYTES="0")
    rounds = 20 if long else 2
    with Load(endpoints(farm, hosts), pushes(farm.names, rounds * 100, seed), rate=25) as load:
        for _ in range(rounds):
            time.sleep(1)
            ballast = fill(small_disk)
            answered = _answered(load)
            time.sleep(1.5)
            # SQLite may go on for a while in the room that its log has already.
            assert _answered(load) > answered, "no answer on a full disk"
            ballast.unlink()
            wait_for_more(load)
    assert load.refused.get(503, 0) > 0, "nothing was refused on a full disk"
    states = judge(farm, load, host)
    print(f"{rounds} rounds, refused {load.refused}: {dict(states)}")
    assert set(load.refused) == {503}
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def _answered(load: Load) -> int:
    return len(load.accepted) + load.refused.get(503, 0)
