"""``webhook-service doctor``: what is wrong with an installation, and what to do."""

from __future__ import annotations

from typing import Any

import typer

from webhook_service.cli.connection.connect import chosen
from webhook_service.cli.options import Output, OutputOption
from webhook_service.cli.output import print_document


def doctor(output: OutputOption = Output.TABLE) -> None:
    """Say what is wrong with the installation, and what to do.

    Nothing is changed. It fails if something cannot work. With a server it looks at what the API
    tells.
    """
    from webhook_service.cli.doctor.finding import Finding, Health
    from webhook_service.cli.doctor.local import look_here
    from webhook_service.cli.doctor.remote import look_there

    found: list[Finding] = []

    def report(finding: Finding) -> None:
        found.append(finding)
        if output in (Output.TABLE, Output.WIDE):
            typer.echo(f"{finding.health.value:<8} {finding.what}: {finding.said}")

    remote = chosen()
    if remote is None:
        look_here(report)
    else:
        look_there(remote, report)
    data: list[dict[str, Any]] = [
        {"what": each.what, "health": each.health.value, "said": each.said} for each in found
    ]
    print_document(output, {"type": "collection", "resourceType": "finding", "data": data})
    if any(each.health is Health.BROKEN for each in found):
        raise typer.Exit(1)
