"""``webhook-service execution replay``: run the events of ended executions again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from webhook_service.cli.connection.connect import connect
from webhook_service.cli.options import By, Limit, OfReceiver, Output, OutputOption, Project, given
from webhook_service.cli.output import print_record
from webhook_service.cli.times import read_moment

if TYPE_CHECKING:
    from webhook_service.model.execution import ExecutionState
    from webhook_service.resources import ReplayedResource

PART = 100


def replay(
    project: Project = None,
    execution: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="One execution; without it: all that fit the options."),
    ] = None,
    state: Annotated[
        str | None, typer.Option(metavar="STATE", help="All in this state, such as failed.")
    ] = None,
    receiver: OfReceiver = None,
    reason: Annotated[
        str | None, typer.Option(metavar="REASON", help="Only those with this reason.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            parser=read_moment, metavar="AGE|TIME", help="Only those that ended since: 2h, 3d, …."
        ),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(parser=read_moment, metavar="AGE|TIME", help="Only those that ended before."),
    ] = None,
    limit: Limit = 1000,
    as_of: Annotated[
        bool,
        typer.Option("--as-of", help="Keep their old place in the order: newer pushes still win."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list them, and replay nothing.")
    ] = False,
    by: By = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Run the events of ended executions again.

    Give the ID of one execution, or choose many with --state and other options.
    """
    filters: dict[str, Any] = given(
        state=state, receiver=receiver, reason=reason, since=since, until=until
    )
    if (execution is None) == (not filters) or (execution is not None and dry_run):
        raise typer.BadParameter("give either the ID of one execution, or --state for many")
    with connect(project, by) as opened:
        requests = opened.client.executions
        if execution is not None:
            id_ = opened.whole_id("executions", "execution", execution)
            print_record(output, requests.replay(id_, as_of=as_of).as_json())
            return
        if receiver is not None:
            filters["receiver"] = opened.receiver_id(receiver)
        filters["state"] = _read_state(state or "failed")
        asked = partial(requests.replay_all, **filters, as_of=as_of)
        found = asked(limit=limit, dry_run=True) if dry_run else _replay_many(asked, limit)
        print_record(output, found.as_json())


def _replay_many(ask: Callable[..., ReplayedResource], limit: int) -> ReplayedResource:
    """Replay up to so many, a part at a time; what was replayed stays if a later part fails."""
    from webhook_service.cli.progress import progress

    with progress("replays executions") as shown:
        found = ask(limit=min(limit, PART))
        while found.remaining and (left := limit - len(found.replayed)) > 0:
            done = len(found.replayed)
            total = min(done + found.remaining, limit)
            shown.tell(f"replayed {done} of {total}", done, total)
            more = ask(limit=min(left, PART))
            if not more.replayed:
                return found
            found = more.model_copy(
                update={
                    "replayed": [*found.replayed, *more.replayed],
                    "executions": [*found.executions, *more.executions],
                }
            )
        return found


def _read_state(text: str) -> ExecutionState:
    from webhook_service.model.execution import ENDED, ExecutionState

    if text not in ENDED:
        raise typer.BadParameter(f"--state is one of {', '.join(ENDED)}")
    return ExecutionState(text)
