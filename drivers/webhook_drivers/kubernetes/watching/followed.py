"""The objects of one watch that executions follow: what they are now, and whom a change wakes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic

from webhook_drivers.kubernetes.api.resources import Json

KEPT_SECONDS = 120.0
"""An object that nobody has looked at for so long is followed no more."""
MAX_FOLLOWED = 20_000

Wake = Callable[[], None]


@dataclass(slots=True)
class _Followed:
    """
    Attributes:
        heard: the last versions that the watch has told of.
        awaited: the version of our own last write, until the watch tells of it: what it tells
            before that is older.
    """

    until: float
    obj: Json | None = None
    wakes: dict[str, Wake] = field(default_factory=dict)
    heard: deque[object] = field(default_factory=lambda: deque(maxlen=8))
    awaited: object = None


class FollowedObjects:
    """By name; used by many threads at once. Nothing else of a namespace is kept.

    Args:
        room: how many objects may be followed.
        clock: seconds that only grow.
    """

    def __init__(self, room: int = MAX_FOLLOWED, clock: Callable[[], float] = monotonic) -> None:
        self._room = room
        self._clock = clock
        self._lock = Lock()
        self._objects: dict[str, _Followed] = {}

    def follow(self, name: str, execution: str, wake: Wake) -> bool:
        """Wake an execution at the next change of an object; False if there is no room."""
        with self._lock:
            until = self._clock() + KEPT_SECONDS
            known = self._objects.get(name)
            if known is None:
                if len(self._objects) >= self._room:
                    return False
                known = self._objects[name] = _Followed(until)
            known.until = until
            known.wakes[execution] = wake
            return True

    def get(self, name: str) -> Json | None:
        with self._lock:
            known = self._objects.get(name)
            return known.obj if known else None

    def added(self, name: str, obj: Json) -> None:
        """An object is new, or a watch that begins shows it as it is now."""
        with self._lock:
            if known := self._objects.get(name):
                known.awaited = None
        self.changed(name, obj)

    def changed(self, name: str, obj: Json) -> None:
        """An object is like this now."""
        version = _version(obj)
        with self._lock:
            known = self._objects.get(name)
            if known is None:
                return
            known.heard.append(version)
            if known.awaited not in (None, version):
                return
            known.awaited = None
            if known.obj and version == _version(known.obj):
                return
            known.obj = _lean(obj)
            woken, known.wakes = known.wakes, {}
        _wake(woken)

    def deleted(self, name: str) -> None:
        """An object is gone."""
        with self._lock:
            known = self._objects.get(name)
            if known is None:
                return
            known.obj, known.awaited = None, None
            woken, known.wakes = known.wakes, {}
        _wake(woken)

    def wrote(self, name: str, obj: Json) -> None:
        """We have made an object like this; whoever did that need not be woken."""
        version = _version(obj)
        with self._lock:
            known = self._objects.get(name)
            if known is not None and version not in known.heard:
                known.obj, known.awaited = _lean(obj), version

    def forget(self) -> None:
        """What is known may be out of date; it is still followed."""
        with self._lock:
            for known in self._objects.values():
                known.obj, known.awaited = None, None

    def wake_all(self) -> None:
        """Have everybody look, as nobody hears of changes any more."""
        with self._lock:
            woken: dict[str, Wake] = {}
            for known in self._objects.values():
                woken |= known.wakes
                known.wakes = {}
        _wake(woken)

    def prune(self) -> bool:
        """Let go of what nobody looks at any more; says whether anything is followed still."""
        with self._lock:
            now = self._clock()
            self._objects = {key: each for key, each in self._objects.items() if each.until > now}
            return bool(self._objects)


def _wake(woken: dict[str, Wake]) -> None:
    for wake in woken.values():
        wake()


def _lean(obj: Json) -> Json:
    """Without what is as large as the rest together, and says nothing of a rollout."""
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": metadata}


def _version(obj: Json) -> object:
    """An opaque text: equal or not, never newer or older.

    https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
    """
    return obj["metadata"].get("resourceVersion")
