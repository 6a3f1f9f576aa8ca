"""A driver for workers in processes of their own: told by its config what to do, it writes down
every call."""

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

from webhook_service.driver import Context, Done, DriverConfig, Outcome, PushEvent, Wait
from webhook_service.driver import WebhookDriver as Driver

ROOT = Path(__file__).parents[2]
METADATA = "Metadata-Version: 2.1\nName: webhook-probe\nVersion: 1\n"
ENTRY_POINT = "[webhook_service.drivers]\nstub = tests.engine.probe:Probe\n"


class ProbeConfig(DriverConfig):
    """``folder`` is where calls are written down; ``block`` lasts until ``release`` is in it."""

    folder: str
    target: str = "probe"
    behaviour: Literal["done", "wait", "block", "sleep", "hang", "die", "exit"] = "done"


class Probe(Driver[ProbeConfig]):
    """Does one of several things, most of them bad."""

    Config = ProbeConfig

    def slot(self, config: ProbeConfig, event: PushEvent) -> str:
        return config.target

    def execute(self, config: ProbeConfig, event: PushEvent, context: Context) -> Outcome:
        folder = Path(config.folder)
        with (folder / "calls").open("a") as calls:
            calls.write(f"{event.tag} {os.getpid()} {time.time()}\n")
        match config.behaviour:
            case "wait" if not context.state:
                return Wait(0.5, {"waited": True})
            case "block":
                _wait_for(folder / "release", 60)
            case "sleep":
                time.sleep(600)
            case "hang":
                while True:
                    with suppress(Exception):
                        time.sleep(600)
            case "die":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "exit":
                sys.exit(3)
        return Done(message="probed")


def _wait_for(file: Path, seconds: float) -> None:
    # Not by time.sleep, which fails under libfaketime.
    never, deadline = threading.Event(), time.monotonic() + seconds
    while not file.exists():
        assert time.monotonic() < deadline, f"{file} did not come in time"
        never.wait(0.01)


def install(folder: Path) -> dict[str, str]:
    """Make the driver one that is installed; gives the environment in which it is."""
    metadata = folder / "webhook_probe-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(METADATA)
    (metadata / "entry_points.txt").write_text(ENTRY_POINT)
    return {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
