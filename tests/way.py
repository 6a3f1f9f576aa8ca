"""The way of one delivery: ``python -m tests.way`` prints what it passes, in order.

A real host takes a push for a receiver that it knows (Docker Hub's format, one repository rule, no
signature), an engine hands it to a driver that does nothing, and the result is recorded. A profile
hook notes each function of the project when it is called for the first time.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType

import httpx

from tests.host.served import ending, serving
from tests.support import PROJECT, add_receiver, make_service, sqlite_url, wait_for_end
from webhook_service.testing import sample_push

ROOT = Path(__file__).parents[1]
SOURCES = (ROOT / "webhook_service", ROOT / "drivers")
# What belongs to no delivery: hooks for crash tests, the driver that does nothing, and the threads
# that renew leases and do chores.
LEFT_OUT = ("failpoints.py", "testing/")
OTHER_THREADS = ("engine-leases", "chores", "MainThread")


@dataclass(frozen=True)
class Called:
    """A function, and who called it first."""

    file: str
    line: int
    name: str
    thread: str


class Way:
    """Notes functions while it is open."""

    def __init__(self) -> None:
        self.called: dict[CodeType, Called] = {}
        self.open = False

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if not self.open or event != "call" or code in self.called or code.co_name[0] == "<":
            return
        path, thread = Path(code.co_filename), threading.current_thread().name
        if thread in OTHER_THREADS or not any(path.is_relative_to(source) for source in SOURCES):
            return
        file = str(path.relative_to(ROOT))
        # An engine that looks for work meanwhile is on nobody's way yet.
        begins = bool(self.called) or code.co_name == "data_received"
        if begins and not any(part in file for part in LEFT_OUT):
            self.called[code] = Called(file, code.co_firstlineno, code.co_qualname, thread)

    @property
    def functions(self) -> list[Called]:
        return list(self.called.values())

    @property
    def files(self) -> set[str]:
        return {each.file for each in self.functions}


@contextmanager
def _hooked(way: Way) -> Iterator[None]:
    threading.setprofile(way)
    sys.setprofile(way)
    try:
        yield
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]


def trace() -> Way:
    """Send one push through a host, and note its way."""
    way = Way()
    with tempfile.TemporaryDirectory() as folder, _hooked(way):
        service = make_service(sqlite_url(Path(folder)))
        with serving(service) as served, served.client(None) as client:
            match = {"repositories": ["acme/shop"]}
            _, key = add_receiver(service, match=match, verify={"scheme": "none"})
            for tag in ("1", "2"):  # with the first one, the host gets to know the receiver
                way.open = tag == "2"
                execution = _send(client, key, tag)
                wait_for_end(service, execution)
                time.sleep(0.2)  # until the worker has come to rest
            way.open = False
        ending.pop().join()  # before its database goes
    return way


def _send(client: httpx.Client, key: str, tag: str) -> str:
    body, headers = sample_push("dockerhub", f"acme/shop:{tag}")
    query = {"key": key, "projectId": PROJECT}
    answer = client.post("/v1-webhooks/endpoint", params=query, content=body, headers=dict(headers))
    execution: str = answer.json()["executions"][0]
    return execution


def main() -> None:
    way, last = trace(), ""
    for called in way.functions:
        if called.thread != last:
            print(f"[{called.thread}]")
            last = called.thread
        print(f"  {called.file}:{called.line}  {called.name}")
    print(f"{len(way.functions)} functions in {len(way.files)} files")


if __name__ == "__main__":
    main()
