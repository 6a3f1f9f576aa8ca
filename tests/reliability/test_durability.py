"""No 2xx leaves before the disk has the delivery: read from the system calls of a real host."""

import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.reliability.conftest import StartHosts
from tests.reliability.farm import NAMESPACE, REPOSITORY, Farm
from tests.servers.process import wait_until
from tests.servers.requirements import require_program
from webhook_service.testing.samples import dockerhub_push

FLUSH = re.compile(r"\bf(data)?sync(\(| resumed).*= 0$")
CALLS = "trace=fsync,fdatasync,sendto,write,writev,sendmsg"
ALWAYS = {"cron": "* * * * *", "minutes": 60}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_every_answer_comes_after_a_flush_of_its_own(
    farm: Farm, start_hosts: StartHosts, tmp_path: Path, long: bool
) -> None:
    strace = require_program("strace", "install Debian's package strace")
    [host] = start_hosts(1)
    # Frozen, so that the engine has nothing to do and flushes nothing meanwhile.
    receiver = host.create_receiver(
        name="shop",
        driver="deploymentUpdate",
        deploymentUpdateConfig={"namespace": NAMESPACE, "name": farm.names[0]},
        match={"repositories": [REPOSITORY], "freeze": [ALWAYS]},
        verify={"scheme": "none"},
    )
    trace = tmp_path / "trace"
    command = [str(strace), "-f", "-s", "64", "-e", CALLS, "-o", str(trace)]
    tracer = subprocess.Popen([*command, "-p", str(host.process.pid)], stderr=subprocess.DEVNULL)
    calls = 1_000 if long else 100
    try:
        assert wait_until(lambda: is_traced(host.process.pid), 10)
        for number in range(calls):
            moment = datetime.now(UTC) - timedelta(days=1, seconds=number)
            body = dockerhub_push(REPOSITORY, str(number), pushed_at=moment)
            answer = httpx.post(receiver["url"], content=body, timeout=30)
            assert (answer.status_code, answer.json()["state"]) == (200, "accepted")
    finally:
        tracer.terminate()
        tracer.wait()
    assert count(trace.read_text()) == (calls, calls)


def is_traced(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    return "TracerPid:\t0" not in status


def count(trace: str) -> tuple[int, int]:
    """How many calls were answered with 200, and how many of them after a flush since the last."""
    answers = flushed = 0
    flush_seen = False
    for line in trace.splitlines():
        if FLUSH.search(line):
            flush_seen = True
        elif "HTTP/1.1 200" in line:
            answers += 1
            flushed += flush_seen
            flush_seen = False
    return answers, flushed
