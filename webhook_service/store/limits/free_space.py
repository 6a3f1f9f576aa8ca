"""Free space on the disk of a SQLite database: calls are refused before there is none.

What is stored already goes on: results of executions and what retention removes still fit.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from webhook_service.errors import StoreUnavailable

# Between two looks.
PAUSE = 1.0
RETRY_AFTER = 60

log = logging.getLogger(__name__)


class FreeSpace:
    """Looks how much is free, once a second while somebody asks.

    Args:
        folder: of the database; None if its disk is another host's.
        minimum: bytes that have to be free; 0 never refuses.
        free: the bytes that are free in a folder.
    """

    def __init__(
        self,
        folder: Path | None,
        minimum: int,
        free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._minimum = minimum
        self._free = free
        self._clock = clock
        self._next_look = clock()
        self._low = False

    def require(self) -> None:
        """Make sure that there is room.

        Raises:
            StoreUnavailable: less than the minimum is free.
        """
        if self._folder is not None and self._minimum and self._clock() >= self._next_look:
            self._next_look = self._clock() + PAUSE
            self._note(self._folder)
        if self._low:
            raise StoreUnavailable(
                f"The disk of the database has less than {self._minimum} bytes free "
                "(WEBHOOK_SERVICE_MIN_FREE_BYTES); nothing was stored. Calls are taken again as "
                "soon as there is room.",
                RETRY_AFTER,
            )

    def _note(self, folder: Path) -> None:
        try:
            free = self._free(folder)
        except OSError as exc:
            return log.warning("The free space of %s cannot be read: %s", folder, exc)
        if free < self._minimum and not self._low:
            log.error("%s has %d bytes free: calls are refused until there is room.", folder, free)
        if free >= self._minimum and self._low:
            log.warning("%s has %d bytes free: calls are taken again.", folder, free)
        self._low = free < self._minimum
