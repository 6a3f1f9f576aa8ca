"""A host process with a stub driver that notes each of its runs, for a parent to start."""

import os
import sys
from pathlib import Path

from tests.support import make_service
from webhook_service.driver import Context, Outcome, PushEvent
from webhook_service.processes.child import HostPlace
from webhook_service.service import WebhookService
from webhook_service.settings import Settings
from webhook_service.telemetry.logs import configure
from webhook_service.testing.stub import StubConfig, StubDriver

RUNS = "RUNS_OF_THE_TEST"
LEASE_SECONDS = 2.0


class Noting(StubDriver):
    """Each run is a line with the execution and the process."""

    def execute(self, config: StubConfig, event: PushEvent, context: Context) -> Outcome:
        with Path(os.environ[RUNS]).open("a") as file:
            file.write(f"{context.execution} {os.getpid()}\n")
        return super().execute(config, event, context)


def open_service(settings: Settings) -> WebhookService:
    return make_service(settings.database_url, {"stub": Noting}, lease=LEASE_SECONDS)


if __name__ == "__main__":
    configure("text")
    HostPlace.taken(*map(int, sys.argv[1:])).serve(open_service)
