"""One of the processes of ``webhook-service serve --processes``, which starts it itself."""

from __future__ import annotations

import sys

import typer

from webhook_service.cli.commands.installation.serve import END_SECONDS, beside, end_within
from webhook_service.cli.failures import reported
from webhook_service.processes.child import HostPlace
from webhook_service.telemetry.logs import configure


def main(arguments: list[str]) -> int:
    """Serve; gives the exit code."""
    try:
        with reported():
            place = HostPlace.taken(*map(int, arguments))
            configure(place.settings.log_format, place.settings.log_level)
            place.serve(beside=beside(place.settings))
            end_within(END_SECONDS)
    except typer.Exit as end:
        return end.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
