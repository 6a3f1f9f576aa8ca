"""A server that the tests start ends with them, and says why when it cannot start."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.process import Process, StartFailed, wait_until
from tests.servers.requirements import require

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
ROOT = Path(__file__).parent.parent.parent


def alive(pid: int) -> bool:
    """Whether it runs; one that has ended and that nobody has waited for yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def test_failed_start_shows_the_end_of_the_log(tmp_path: Path) -> None:
    process = Process([sys.executable, "-c", "raise SystemExit('no such port')"], tmp_path)
    with pytest.raises(StartFailed, match="(?s)ended: 1.*no such port"):
        process.start(lambda: False)


def test_server_that_is_not_ready_in_time_is_stopped(tmp_path: Path) -> None:
    process = Process(SLEEP, tmp_path)
    with pytest.raises(StartFailed, match="not ready after 0.1 s"):
        process.start(lambda: False, timeout=0.1)
    assert not process.running


def test_server_that_ignores_term_is_killed(tmp_path: Path) -> None:
    code = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    )
    process = Process([sys.executable, "-c", code], tmp_path)
    process.start(lambda: process.log.stat().st_size)
    process.stop(patience=0.2)
    assert process.exit_code == -signal.SIGKILL


def test_server_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    require("a signal at the parent's death", sys.platform == "linux", "only Linux has one")
    code = (
        "import pathlib, sys, time; from tests.servers.process import Process\n"
        f"p = Process({SLEEP!r}, pathlib.Path({str(tmp_path)!r}))\n"
        # Once the helper that asks for the signal has become the program itself.
        "line = lambda: pathlib.Path(f'/proc/{p.pid}/cmdline').read_bytes()\n"
        "p.start(lambda: b'setpriv' not in (line() or b'setpriv'))\n"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
    assert wait_until(lambda: not alive(pid), 30)
