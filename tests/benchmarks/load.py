"""Load: ``wrk`` on one core against a server on another, and what that took."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from shutil import which

SCRIPT = Path(__file__).with_name("push.lua")
TICKS = os.sysconf("SC_CLK_TCK")
SERVER_CORE, LOAD_CORE = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
_runs = count()


class Missing(Exception):
    """A program that a benchmark needs is not installed; the message says how to get it."""


@dataclass(frozen=True)
class Load:
    """One run: calls per second, latencies in ms, and µs of processor time of the server a call."""

    rate: float
    p50: float
    p99: float
    cpu: float


def program(name: str, package: str | None = None) -> str:
    """The path of an installed program, of Debian's package of that name if no other is given."""
    found = which(name)
    if found is None:
        raise Missing(f"{name} is missing: apt-get install {package or name}")
    return found


def on_cores(cores: Sequence[int], *command: str) -> list[str]:
    """A command whose processes have these cores only."""
    return [program("taskset", "util-linux"), "-c", ",".join(map(str, cores)), *command]


@contextmanager
def on_load_core() -> Iterator[None]:
    """Leave the servers' core to the servers: this process and what it starts are elsewhere."""
    with kept_on([LOAD_CORE]):
        yield


@contextmanager
def kept_on(cores: Iterable[int]) -> Iterator[None]:
    """This process has these cores only, and so has what it starts meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def run(port: int, pid: int, paths: Sequence[str], connections: int, seconds: float) -> Load:
    """Send new pushes to a server as fast as it answers.

    Args:
        pid: the server, whose processor time is measured together with its children's.
        paths: path and query of each call, in turn.

    Raises:
        Missing: there is no wrk.
        RuntimeError: a call failed, so the figures would say nothing.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(paths) + "\n")
        file.flush()
        options = (
            "-t1",
            f"-c{connections}",
            f"-d{seconds:g}s",
            "--timeout",
            "30s",
            "-s",
            str(SCRIPT),
        )
        arguments = (f"{os.getpid()}.{next(_runs)}", file.name)
        url = f"http://127.0.0.1:{port}"
        before = processor_seconds(pid)
        done = subprocess.run(
            [program("wrk"), *options, url, "--", *arguments],
            check=True,
            capture_output=True,
            text=True,
        )
        used = processor_seconds(pid) - before
    found = json.loads(done.stdout.splitlines()[-1])
    if found["failed"] or not found["requests"]:
        raise RuntimeError(f"{found['failed']} of {found['requests']} calls failed.\n{done.stdout}")
    rate = found["requests"] / found["seconds"]
    return Load(rate, found["p50"], found["p99"], used / found["requests"] * 1e6)


def processor_seconds(pid: int) -> float:
    """Processor time of a process and of its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ended = sum(map(int, fields[11:15])) / TICKS
    alive = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return ended + sum(map(processor_seconds, map(int, alive)))
