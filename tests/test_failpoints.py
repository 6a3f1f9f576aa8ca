import subprocess
import sys

import pytest

from webhook_service.failpoints import VARIABLE

SCRIPT = """
from webhook_service.failpoints import failpoint
for turn in range(3):
    print(turn, flush=True)
    failpoint("here")
"""


def run(armed: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={VARIABLE: armed},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_unarmed_failpoints_do_nothing() -> None:
    done = run("elsewhere=kill")
    assert (done.returncode, done.stdout.split()) == (0, ["0", "1", "2"])


def test_the_process_is_killed_the_nth_time_it_gets_there() -> None:
    done = run("elsewhere=kill, here=kill@2")
    assert (done.returncode, done.stdout.split()) == (-9, ["0", "1"])


def test_an_error_is_raised_where_it_was_asked_for() -> None:
    done = run("here=error@3")
    assert done.returncode == 1 and "FailpointError" in done.stderr
    assert done.stdout.split() == ["0", "1", "2"]


@pytest.mark.parametrize("text", ["here", "here=explode", "here=kill@soon"])
def test_what_cannot_be_read_is_said(text: str) -> None:
    done = run(text)
    assert done.returncode == 1 and VARIABLE in done.stderr
