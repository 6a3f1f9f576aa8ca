"""The files of a SQLite database, and what to do when somebody takes them from under the writer.

A file that was deleted or replaced takes writes for as long as it is open, and they are lost when
it is closed. SQLite knows its files by their names alone: it would take the ``-wal`` file of one
database for that of another one, and spoil both.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from typing import cast

from sqlalchemy import Engine, QueuePool
from sqlalchemy.engine import URL

from webhook_service.errors import StoreUnavailable
from webhook_service.store.database.dialects import checkpoint, identity, sqlite_files
from webhook_service.store.database.generation import Generation

LOG_LOST = "A file of the database was deleted and is being made anew; nothing was stored."
FILE_LOST = "The file of the database was moved, deleted or replaced; nothing was stored."

log = logging.getLogger(__name__)


class SqliteFiles:
    """Knows which files the writer's connection writes to, and leaves those that lost their names.

    Args:
        generation: of the connections of both engines.
    """

    def __init__(self, url: URL, readers: Engine, writers: Engine, generation: Generation) -> None:
        self._path, *self._beside = sqlite_files(url)
        self._log_path = self._beside[0]
        self._readers = readers
        self._writers = writers
        self._generation = generation
        self._file = identity(self._path)
        # Which file is written to first; None until the writer's connection has written.
        self._log: tuple[int, int] | None = None

    @property
    def are_lost(self) -> bool:
        """Whether the writer's connection writes to a file that has not its name any more."""
        return identity(self._path) != self._file or self._is_log_lost

    @property
    def _is_log_lost(self) -> bool:
        return self._log is not None and identity(self._log_path) != self._log

    def wrote(self) -> None:
        """The writer's connection has written: so its ``-wal`` file is there."""
        if self._log is None:
            self._log = identity(self._log_path)

    def closed(self) -> None:
        """The writer's connection is closed."""
        self._log = None

    def leave(self, writer: sqlite3.Connection | None, close: Callable[[], None]) -> None:
        """Complete what lost its name, close it, and go on with what has the name now.

        Args:
            writer: the connection that writes; None if there is none now.
            close: closes it.

        Raises:
            StoreUnavailable: queries still run that began before.
        """
        found = identity(self._path)
        is_moved = found != self._file
        if not (self._is_saved(writer) and self._is_unread):
            raise StoreUnavailable(FILE_LOST if is_moved else LOG_LOST)
        is_beside = self._log is not None and not self._is_log_lost
        close()
        if is_moved:
            self._go_to_another(remove=is_beside)
            self._file = found
        if writer is not None:
            log.error(
                "%s was moved, deleted or replaced. All that was stored until now is in the file "
                "that was the database. Stop the service before you touch its files.",
                self._path if is_moved else self._log_path,
            )

    def _go_to_another(self, *, remove: bool) -> None:
        """Close all connections to the old file, and remove what it has left beside the new one."""
        for engine in (self._readers, self._writers):
            engine.dispose()
        if remove:
            for file in self._beside:
                file.unlink(missing_ok=True)

    def _is_saved(self, writer: sqlite3.Connection | None) -> bool:
        """Move what the ``-wal`` file holds into its database; whether nothing is left in it."""
        try:
            return writer is None or checkpoint(writer)
        except sqlite3.Error:
            log.exception("The file %s could not be saved.", self._log_path)
            # Another process may have saved all, and made a new file.
            return identity(self._log_path) not in (None, self._log)

    @property
    def _is_unread(self) -> bool:
        """Whether no query runs. From now on, none begins by a connection from before.

        It would read the wrong files once there are new ones.
        """
        self._generation.end()
        return not cast(QueuePool, self._readers.pool).checkedout()
