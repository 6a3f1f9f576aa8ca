"""``webhook-service demo``: see it work, on nothing but Python."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from webhook_service.cli.options import Listen


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Send one push and end; fail if it does not roll out.")
    ] = False,
    listen: Listen = None,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, metavar="FILE", help="Use the real cluster of this file."
        ),
    ] = None,
    context: Annotated[
        str | None, typer.Option(metavar="NAME", help="The context in --kubeconfig.")
    ] = None,
) -> None:
    """Show a push and its rollout, in a simulated cluster.

    With --kubeconfig it creates a namespace and a Deployment 'shop' there, and leaves them there.
    """
    from webhook_service.demo.run import DemoOptions, run

    if context and not kubeconfig:
        raise typer.BadParameter("needs --kubeconfig.", param_hint="--context")
    with _ends_quietly(quietly=not once):
        if not run(DemoOptions(listen, once, kubeconfig, context)):
            raise typer.Exit(1)


@contextmanager
def _ends_quietly(quietly: bool) -> Iterator[None]:
    """SIGTERM ends it as Ctrl-C does, so that its folder goes away."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        if not quietly:
            raise
        typer.echo()
    finally:
        signal.signal(signal.SIGTERM, before)
