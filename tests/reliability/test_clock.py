"""The clock of a host jumps while it works: nothing is lost, stolen early or stuck."""

import time
from pathlib import Path

import pytest

from tests.reliability.conftest import StartHosts, endpoints
from tests.reliability.farm import Farm
from tests.reliability.judge import judge
from tests.reliability.load import Load, pushes
from tests.servers.requirements import require

LIBRARIES = ("/usr/lib/*/faketime/libfaketime.so.1",)
JUMPS = ("+1h", "-1h", "+365d", "+0")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    """The file that says how far the clock is off; a host reads it on every look at the clock."""
    file = tmp_path / "clock"
    file.write_text("+0")
    return file


def faked(clock: Path) -> dict[str, str]:
    """The environment of a process whose wall clock, not its monotonic one, follows the file."""
    found = [path for pattern in LIBRARIES for path in Path("/").glob(pattern[1:])]
    require("libfaketime", found, "install Debian's package faketime")
    return {
        "LD_PRELOAD": str(found[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def test_jumps_of_the_clock_lose_nothing_and_reorder_nothing(
    farm: Farm, start_hosts: StartHosts, clock: Path, seed: int
) -> None:
    # A year later the history would be removed, as it should be.
    [host] = hosts = start_hosts(1, KEEP_HISTORY_DAYS="0")
    host.kill()
    host.start(faked(clock))
    with Load(endpoints(farm, hosts), pushes(farm.names, 300, seed), rate=30) as load:
        for jump in JUMPS:
            time.sleep(2)
            # In place: the file must never be seen empty.
            clock.write_text(jump)
    states = judge(farm, load, host)
    print(dict(states))
    failed = [each["message"] for each in host.executions(state="failed")]
    assert not failed, failed
