"""The servers that are measured, each in a process on the servers' core."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import load
from tests.servers.process import Process, accepts, free_port
from tests.support import PROJECT, add_receiver, make_service, sqlite_url
from webhook_service.store import migrate
from webhook_service.store.database.database import Database

ROOT = Path(__file__).parents[2]
ENDPOINT = "/v1-webhooks/endpoint"
HOOK = {
    "id": "push",
    "execute-command": "/bin/true",
    "include-command-output-in-response": True,
}


@dataclass(frozen=True)
class Target:
    """A running server, and what it is called by."""

    name: str
    port: int
    pid: int
    paths: Sequence[str]

    def run(self, connections: int, seconds: float) -> load.Load:
        return load.run(self.port, self.pid, self.paths, connections, seconds)


@contextmanager
def host(name: str, database_url: str, folder: Path, keys: Sequence[str]) -> Iterator[Target]:
    """The host on a database whose schema is current; it runs no executions."""
    command = [sys.executable, "-m", "tests.benchmarks.host", database_url]
    paths = [f"{ENDPOINT}?key={key}&projectId={PROJECT}" for key in keys]
    with _serving(name, command, folder, paths) as target:
        yield target


@contextmanager
def hosts(
    name: str, database_url: str, folder: Path, key: str, processes: int, cores: Sequence[int]
) -> Iterator[Target]:
    """Host processes on one address, as ``--processes`` starts them; one has no parent."""
    command = [sys.executable, "-m", "tests.benchmarks.host", database_url]
    command += ["--metrics", f"--processes={processes}"]
    paths = [f"{ENDPOINT}?key={key}&projectId={PROJECT}"]

    def ready(server: Process) -> bool:
        return server.log.read_text().count("taking calls on") == processes

    with _serving(name, command, folder, paths, cores, ready) as target:
        yield target


@contextmanager
def bare(folder: Path) -> Iterator[Target]:
    """A Starlette handler that reads the JSON and answers."""
    command = [sys.executable, "-m", "tests.benchmarks.plain"]
    with _serving("bare Starlette handler", command, folder, [f"{ENDPOINT}?key=k"]) as target:
        yield target


@contextmanager
def by_hand(folder: Path) -> Iterator[Target]:
    """The same inserts into the same tables, committed in groups by hand."""
    url = sqlite_url(folder)
    new_receiver(url)
    command = [sys.executable, "-m", "tests.benchmarks.plain", url.removeprefix("sqlite:///")]
    with _serving("the inserts by hand", command, folder, [f"{ENDPOINT}?key=k"]) as target:
        yield target


@contextmanager
def debian_webhook(folder: Path) -> Iterator[Target]:
    """github.com/adnanh/webhook as Debian packages it, running a program that does nothing."""
    hooks = folder / "hooks.json"
    hooks.write_text(json.dumps([HOOK]))
    command = [load.program("webhook"), "-hooks", str(hooks), "-ip", "127.0.0.1", "-port"]
    with _serving("webhook running /bin/true", command, folder, ["/hooks/push"]) as target:
        yield target


def new_receiver(database_url: str) -> str:
    """Make the schema and a receiver; gives its key."""
    with closing(Database(database_url)) as database:
        migrate.upgrade(database)
    with make_service(database_url, run=False) as service:
        return add_receiver(service)[1]


@contextmanager
def _serving(
    name: str,
    command: Sequence[str],
    folder: Path,
    paths: Sequence[str],
    cores: Sequence[int] = (load.SERVER_CORE,),
    ready: Callable[[Process], bool] = lambda server: True,
) -> Iterator[Target]:
    """Start a command that takes its port as last argument, on the servers' core."""
    port = free_port()
    file = name.replace(" ", "-").replace("/", "-")
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    server = Process(load.on_cores(cores, *command, str(port)), folder, name=file, env=env)
    server.start(lambda: accepts(port) and ready(server))
    try:
        yield Target(name, port, server.pid, paths)
    finally:
        server.stop()
