"""Progress of what takes a while: a moving bar at a terminal, and plain lines in a pipe.

It goes to stderr, so that results stay alone on stdout.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from webhook_service.cli.tables import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Lines:
    """Tells news, each in a line of its own."""

    def tell(self, text: str, done: int | None = None, total: int | None = None) -> None:
        """Say how far it is.

        Args:
            done: how much of ``total``; None if nobody knows.
        """
        typer.echo(printable(text), err=True)

    def show(self, text: str) -> None:
        """Say what changes too often for lines."""


class Bar(Lines):
    """Shows the news in one line that moves."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def tell(self, text: str, done: int | None = None, total: int | None = None) -> None:
        from rich.markup import escape

        shown = escape(printable(text))
        self._progress.update(self._task, description=shown, completed=done or 0, total=total)

    def show(self, text: str) -> None:
        self.tell(text)


@contextmanager
def progress(what: str) -> Iterator[Lines]:
    """Show that something goes on, how far it is, and for how long already.

    Args:
        what: is shown at a terminal until there is news.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    text = Column(no_wrap=True, overflow="ellipsis")
    columns = (
        SpinnerColumn(),
        BarColumn(20),
        TimeElapsedColumn(),
        TextColumn("{task.description}", table_column=text),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        yield Bar(shown, shown.add_task(what, total=None))
