"""One watch: a thread that hears of all changes of one kind in one namespace.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from logging import getLogger
from threading import Event, Lock, Thread
from time import monotonic
from urllib.parse import urlencode

from webhook_drivers.kubernetes.api.resources import Json
from webhook_drivers.kubernetes.watching.change_stream import ChangeStream
from webhook_drivers.kubernetes.watching.followed import FollowedObjects
from webhook_service import fault_of

TURN_SECONDS = 30
"""After which the server ends a request and is asked anew: so a silent one is known to live."""
SILENCE_SECONDS = TURN_SECONDS + 5.0
PROVEN_SECONDS = TURN_SECONDS + 10.0
"""How long what is known counts as current after the server's last sign of life."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
FAILURES = 2
"""After so many in a row nobody relies on the watch."""
REFUSED = (401, 403, 404, 405)
GONE = 410

log = getLogger(__name__)


class Watch:
    """Begins with its first object, and ends when nothing is followed any more.

    A new one gets all objects of the namespace once and then their changes. Later ones go on from
    the last version that was seen; the server says if it no longer remembers that one (410).

    Args:
        where: what it watches, for the log.
        open_: begins a request with a query; may be silent for so many seconds.
        at_end: is told the status that refused it, or None, when it has ended.
    """

    def __init__(
        self,
        where: str,
        open_: Callable[[str, float], ChangeStream],
        at_end: Callable[[int | None], None],
    ) -> None:
        self.followed = FollowedObjects()
        self._where = where
        self._open = open_
        self._at_end = at_end
        self._version = ""
        self._proven = 0.0
        self._failures = 0
        self._stopping = Event()
        self._lock = Lock()
        self._stream: ChangeStream | None = None
        self._thread = Thread(target=self._run, name="kubernetes-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def started(self) -> bool:
        return self._thread.ident is not None

    @property
    def is_reliable(self) -> bool:
        """Whether changes can be expected to be heard of."""
        return self._failures < FAILURES and not self._stopping.is_set()

    def get(self, name: str) -> Json | None:
        """An object as it is now, but for moments; None if that is not known."""
        current = monotonic() - self._proven < PROVEN_SECONDS
        return self.followed.get(name) if current and self.is_reliable else None

    def stop(self) -> None:
        self._stopping.set()
        with self._lock:
            if self._stream is not None:
                self._stream.stop()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def _run(self) -> None:
        refused = None
        while not self._stopping.is_set() and self.followed.prune() and refused is None:
            began = monotonic()
            try:
                refused = self._turn()
                self._failures = 0
            except Exception as error:  # sockets, urllib3, JSON, what the server says in words
                self._fail(error)
            if refused is None and monotonic() - began < FIRST_PAUSE:
                pause = FIRST_PAUSE * 2 ** min(self._failures, 10)
                self._stopping.wait(min(pause, LONGEST_PAUSE))
        self._stopping.set()
        self._at_end(refused)
        self.followed.wake_all()

    def _turn(self) -> int | None:
        """One request; gives the status that refuses it, if so."""
        if not self._version:
            self.followed.forget()
        query = {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": TURN_SECONDS}
        since = {"resourceVersion": self._version} if self._version else {}
        with closing(self._open(urlencode(query | since), SILENCE_SECONDS)) as stream:
            with self._lock:
                self._stream = stream
                if self._stopping.is_set():
                    return None
            if stream.status in REFUSED:
                return stream.status
            if stream.status == GONE:
                self._version = ""
                return None
            if stream.status != 200:
                raise ValueError(f"status {stream.status}")
            self._proven = monotonic()
            for event in stream:
                self._hear(event["type"], event["object"])
            self._proven = monotonic()
        return None

    def _hear(self, kind: str, obj: Json) -> None:
        self._proven = monotonic()
        if kind == "ERROR" and obj.get("code") == GONE:
            self._version = ""
        elif kind == "ERROR":
            raise ValueError(f"{obj.get('code')}: {obj.get('message')}")
        else:
            self._version, self._failures = obj["metadata"]["resourceVersion"], 0
        match kind:
            case "ADDED":
                self.followed.added(obj["metadata"]["name"], obj)
            case "MODIFIED":
                self.followed.changed(obj["metadata"]["name"], obj)
            case "DELETED":
                self.followed.deleted(obj["metadata"]["name"])

    def _fail(self, error: Exception) -> None:
        if self._stopping.is_set():
            return
        self._failures += 1
        if self._failures == FAILURES:
            log.warning(
                "%s cannot be watched now (%s); they are asked for until that works again.",
                *(self._where, fault_of(error)),
            )
            self.followed.wake_all()
