"""``webhook-service operator``: receivers as custom resources of Kubernetes."""

from __future__ import annotations

from typing import Annotated

import typer

from webhook_service.cli.failures import fail
from webhook_service.cli.output import print_json

app = typer.Typer(help="Receivers as custom resources of Kubernetes.", no_args_is_help=True)


@app.command()
def run(
    interval: Annotated[
        float,
        typer.Option(min=1, metavar="SECONDS", help="After which a resource is looked at again."),
    ] = 60.0,
    liveness: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS:PORT", help="Where /healthz says that it is alive."),
    ] = None,
) -> None:
    """Carry the Receivers of a cluster over to this service. A signal ends it.

    It needs the database and the settings of the hosts, and WEBHOOK_SERVICE_NAMESPACES says whose
    Receivers count.
    """
    from webhook_service.settings import load_settings
    from webhook_service.telemetry.logs import configure

    settings = load_settings()
    configure(settings.log_format, settings.log_level)
    try:
        from webhook_service.operator.run import run_operator
    except ImportError:
        fail("kopf is not installed: run pip install 'webhook-service[operator]'.")
    run_operator(settings, interval, liveness)


@app.command()
def definition() -> None:
    """Print the definition of the custom resource. It has the installed drivers' configs.

    'webhook-service operator definition | kubectl apply -f -' brings it into a cluster.
    """
    from webhook_service.operator.crd import receiver_definition
    from webhook_service.plugins.instances import installed_drivers
    from webhook_service.settings import load_settings

    print_json(receiver_definition(installed_drivers(load_settings()).plugins))
