"""``webhook-service execution logs`` and ``execution wait``: what happens, until it has ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from webhook_service.cli.commands.executions.execution import Id
from webhook_service.cli.connection.connect import connect
from webhook_service.cli.failures import ExitCode
from webhook_service.cli.options import Output, OutputOption, Project
from webhook_service.cli.output import print_record
from webhook_service.cli.tables import SHORTEST_ID, printable

if TYPE_CHECKING:
    from webhook_service.cli.progress import Lines
    from webhook_service.resources import ExecutionResource


def logs(
    execution: Id,
    project: Project = None,
    follow: Annotated[
        bool,
        typer.Option("--follow", "-f", help="Go on until it has ended; fail if it fails."),
    ] = False,
) -> None:
    """Print what an execution did, step by step.

    Without --follow it prints what is stored: the attempts, and where the execution stands.
    """
    with connect(project) as opened:
        id_ = opened.whole_id("executions", "execution", execution)
        client = opened.client.executions
        seen = client.follow(id_) if follow else iter([client.get(id_)])
        last = _print_steps(seen)
    if follow and not last.succeeded:
        raise typer.Exit(ExitCode.FAILED)


def wait(
    execution: Id,
    project: Project = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0, metavar="SECONDS", help="How long to wait.")
    ] = 600,
    output: OutputOption = Output.TABLE,
) -> None:
    """Wait until an execution has ended, and show it.

    Exit code 0: the target runs what was pushed. 1: it does not. 3: the execution goes on.
    """
    from webhook_service.cli.progress import progress
    from webhook_service.client import NotEnded

    with connect(project) as opened:
        id_ = opened.whole_id("executions", "execution", execution)
        try:
            with progress(f"waits for {id_[:SHORTEST_ID]}") as shown:
                found = opened.client.executions.wait(
                    id_, seconds=timeout, on_change=lambda news: _tell(news, shown)
                )
        except NotEnded as exc:
            typer.echo(f"error: {exc.message}", err=True)
            raise typer.Exit(ExitCode.STILL_OPEN) from exc
        except KeyboardInterrupt:
            typer.echo(f"{id_} goes on; 'execution abort' would stop it.", err=True)
            raise
    print_record(output, found.as_json())
    if not found.succeeded:
        raise typer.Exit(ExitCode.FAILED)


def _tell(news: ExecutionResource, shown: Lines) -> None:
    """Say how far an execution is; how it ended is its result."""
    from webhook_service.model.progress import progress_in

    if not news.ended:
        said = f": {news.message}" if news.message else ""
        done, wanted = progress_in(news.message) or (None, None)
        shown.tell(f"{news.id[:SHORTEST_ID]} {news.state.value}{said}", done, wanted)


def _print_steps(seen: Iterable[ExecutionResource]) -> ExecutionResource:
    """Print a line for each thing that is new; the execution as it was last."""
    told: set[str] = set()
    last: ExecutionResource | None = None
    for found in seen:
        for moment, text in _steps(found, first=last is None):
            if text not in told:
                told.add(text)
                shown = (moment or datetime.now(UTC)).astimezone(UTC)
                typer.echo(f"{shown:%Y-%m-%dT%H:%M:%SZ} {printable(text)}")
        last = found
    assert last is not None
    return last


def _steps(found: ExecutionResource, first: bool) -> Iterator[tuple[datetime | None, str]]:
    """What can be said of an execution, with its time where that is stored."""
    image = getattr(found.event, "image", "a call")
    yield found.created, f"queued: {image} for {found.driver}"
    for attempt in found.attempts or ():
        yield attempt.started, f"attempt {attempt.number} began"
        if attempt.finished is not None:
            said = f": {attempt.message}" if attempt.message else ""
            yield attempt.finished, f"attempt {attempt.number} ended, {attempt.state}{said}"
    why = f" ({found.reason})" if found.reason else ""
    said = f": {found.message}" if found.message else ""
    if not (first and found.state.value == "queued" and not said):
        yield found.finished, f"{found.state.value}{why}{said}"
    if found.ended:
        for change in found.changes:
            became = f"{change.before} -> {change.after}"
            yield found.finished, f"{change.target} {change.field}: {became}"
