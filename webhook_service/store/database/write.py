"""One write that is under way, from the caller's side: wait for it, or give it up before COMMIT."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

from webhook_service.errors import StoreUnavailable

WRITE_TIMEOUT = 15.0
LATE = "The database did not take the write in time; nothing was stored."
TORN = "The connection broke while the database stored this; send it again to be sure."

T = TypeVar("T")


class Write(Future[T]):
    """What a write came to, once it is known.

    Attributes:
        is_torn: the connection broke while it was committed, perhaps in a group that then ran again
            one by one: nobody knows whether it is stored.
    """

    def __init__(self, lock: threading.Lock) -> None:
        super().__init__()
        self.is_torn = False
        self._lock = lock
        self._is_given_up = self._is_committing = False

    def give_up(self) -> bool:
        """Have nothing stored; False if it is too late for that, and the result is on its way."""
        with self._lock:
            if not self._is_committing:
                self._is_given_up = True
            return self._is_given_up

    @staticmethod
    def begin_commit(writes: Sequence[Write[Any]]) -> None:
        """Go past the point up to which they can be given up.

        Raises:
            StoreUnavailable: one of them was.
        """
        with writes[0]._lock:
            if any(write._is_given_up for write in writes):
                raise StoreUnavailable(LATE)
            for write in writes:
                write._is_committing = True

    def retry(self, *, torn: bool) -> None:
        """Take a commit back that failed."""
        with self._lock:
            self._is_committing = False
            self.is_torn = self.is_torn or torn


def wait(write: Write[T]) -> T:
    """Wait for a commit.

    Raises:
        StoreUnavailable: it did not happen, or not in time.
        IntegrityError: a constraint of the tables forbids it.
    """
    try:
        return write.result(WRITE_TIMEOUT)
    except FutureTimeout as exc:
        if write.give_up():
            raise StoreUnavailable(TORN if write.is_torn else LATE) from exc
        # Its COMMIT is under way, and the watchdog bounds that.
        return write.result()
