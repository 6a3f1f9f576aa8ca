"""What shells offer after TAB: names that exist where the command would run.

Whatever goes wrong there, nothing is offered: a shell has no place for errors.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from webhook_service.cli.connection.connect import Connection

MAX_NAMES = 200


def contexts(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of contexts."""
    from webhook_service.cli.connection.contexts import LOCAL, load_contexts

    with contextlib.suppress(Exception):
        return [name for name in (*load_contexts().remotes, LOCAL) if name.startswith(incomplete)]
    return []


def receivers(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of the project's receivers."""
    return _offered(ctx, incomplete, _receivers)


def inboxes(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of the project's inboxes."""
    return _offered(ctx, incomplete, _inboxes)


def drivers(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of drivers."""
    return _offered(ctx, incomplete, lambda opened: _names(opened.client.plugins.drivers()))


def formats(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of formats."""
    return _offered(ctx, incomplete, lambda opened: _names(opened.client.plugins.formats()))


def schemes(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of schemes."""
    return _offered(ctx, incomplete, lambda opened: _names(opened.client.plugins.schemes()))


def executions(ctx: typer.Context, incomplete: str) -> list[str]:
    """The newest executions."""
    return _offered(ctx, incomplete, _executions)


def _receivers(opened: Connection) -> Iterator[str]:
    return (each.name for each in opened.client.receivers.list(limit=MAX_NAMES))


def _inboxes(opened: Connection) -> Iterator[str]:
    return (each.name for each in opened.client.inboxes.list(limit=MAX_NAMES))


def _executions(opened: Connection) -> Iterator[str]:
    return (each.id for each in opened.client.executions.list(limit=MAX_NAMES))


def _names(plugins: Iterable[object]) -> list[str]:
    return [str(getattr(each, "name", "")) for each in plugins]


def _offered(
    ctx: typer.Context, incomplete: str, ask: Callable[[Connection], Iterable[str]]
) -> list[str]:
    from itertools import islice

    from webhook_service.cli.connection.connect import chosen, connect

    project = ctx.params.get("project")
    # The scope tells 'connect' what stands before the command: --server, or its variable.
    with (
        contextlib.suppress(Exception),
        contextlib.redirect_stderr(io.StringIO()),
        ctx.scope(cleanup=False),
    ):
        if chosen() is None and _no_database():
            return []
        with connect(project, any_project=project is None) as opened:
            return [name for name in islice(ask(opened), MAX_NAMES) if name.startswith(incomplete)]
    return []


def _no_database() -> bool:
    """Whether asking would make one."""
    from webhook_service.settings import load_settings

    return load_settings().missing_sqlite_file is not None
