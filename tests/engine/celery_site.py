"""A host with the Celery engine in this process, and its workers in processes of their own."""

import os
import signal
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.engine.probe import Probe, install
from tests.servers.process import Process
from tests.support import PROJECT, SECRET, add_receiver, make_service, wait_for
from webhook_service.engine.celery.app import make_app
from webhook_service.engine.celery.engine import CeleryEngine
from webhook_service.engine.celery.publisher import Publisher
from webhook_service.model.execution import Execution
from webhook_service.plugins.instances import Drivers
from webhook_service.settings import load_settings
from webhook_service.store.store import Store

PROGRAM = Path(sys.executable).with_name("webhook-service")


@dataclass(frozen=True)
class Call:
    """One call of the probe: by which process, and when (seconds since 1970)."""

    tag: str
    process: int
    at: float


class Site:
    """Use as a context manager; ``folder`` is where the probe's calls are written down."""

    def __init__(
        self,
        database_url: str,
        broker_url: str,
        folder: Path,
        *,
        lease: int = 2,
        step: int = 60,
        **more: str,
    ) -> None:
        self.folder = folder
        self._lease = lease
        self._settings = load_settings(
            engine="celery",
            broker_url=broker_url,
            database_url=database_url,
            step_seconds=step,
            **more,
        )
        self.environment = {
            "WEBHOOK_SERVICE_ENGINE": "celery",
            "WEBHOOK_SERVICE_BROKER_URL": broker_url,
            "WEBHOOK_SERVICE_DATABASE_URL": database_url,
            "WEBHOOK_SERVICE_SECRET_KEY": SECRET,
            "WEBHOOK_SERVICE_LEASE_SECONDS": str(lease),
            "WEBHOOK_SERVICE_STEP_SECONDS": str(step),
            **{f"WEBHOOK_SERVICE_{name.upper()}": value for name, value in more.items()},
            **install(folder / "installed"),
        }
        self._stack = ExitStack()
        self._workers = 0

    def __enter__(self) -> Self:
        url = self.environment["WEBHOOK_SERVICE_DATABASE_URL"]
        self.service = self._stack.enter_context(
            make_service(url, {"stub": Probe}, lease=self._lease, make_engine=self._engine)
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start_worker(self, concurrency: int = 2) -> Process:
        worker = self.worker(concurrency)
        worker.start(lambda: "takes executions" in worker.log.read_text(), 60)
        return worker

    def worker(self, concurrency: int = 1) -> Process:
        """A worker that is yet to be started."""
        self._workers += 1
        command = [PROGRAM, "worker", "--concurrency", str(concurrency)]
        name = f"worker-{self._workers}"
        env = os.environ | self.environment
        worker = Process(command, self.folder, name=name, env=env)
        self._stack.callback(kill_all, worker)
        return worker

    def receiver(self, name: str, **config: Any) -> str:
        """Create a receiver with a slot of its own; its key."""
        config = {"folder": str(self.folder), "target": name, **config}
        return add_receiver(self.service, name=name, stubConfig=config)[1]

    def read(self, execution: str) -> Execution:
        return self.service.get_execution(PROJECT, execution)

    def calls(self, *tags: str) -> list[Call]:
        """The calls of the probe with one of these tags, in their order."""
        file = self.folder / "calls"
        lines = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
        return [Call(tag, int(pid), float(at)) for tag, pid, at in lines if tag in tags]

    def wait_for_call(self, tag: str, count: int = 1, seconds: float = 30) -> Call:
        wait_for(lambda: len(self.calls(tag)) >= count, seconds)
        return self.calls(tag)[count - 1]

    def _engine(self, store: Store, _: Drivers) -> CeleryEngine:
        return CeleryEngine(store, Publisher(make_app(self._settings)))


def kill_all(worker: Process) -> None:
    """Kill a worker and its children, as the end of their machine would."""
    if worker.running:
        os.killpg(worker.pid, signal.SIGKILL)
    worker.kill()
