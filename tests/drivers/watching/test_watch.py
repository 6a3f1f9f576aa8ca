"""One watch against scripted answers: what it asks next, what it knows, whom it wakes."""

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, cast
from urllib.parse import parse_qs

import pytest

from tests.support import wait_for
from webhook_drivers.kubernetes.watching import watch as module
from webhook_drivers.kubernetes.watching.change_stream import ChangeStream
from webhook_drivers.kubernetes.watching.watch import Watch


class Answer:
    """Lines, and then the end; an exception among them is raised, ``...`` is silence."""

    def __init__(self, *lines: Any, status: int = 200) -> None:
        self.status, self._lines = status, lines
        self._over = threading.Event()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for line in self._lines:
            if line is ...:
                assert self._over.wait(30)
                return
            if isinstance(line, Exception):
                raise line
            yield line

    def stop(self) -> None:
        self._over.set()

    close = stop


class Server:
    """Gives prepared answers in turn, and a silent one when there are none left."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self._answers = list(answers)
        self.asked: list[dict[str, list[str]]] = []

    def __call__(self, query: str, silence: float) -> ChangeStream:
        assert silence == 35
        self.asked.append(parse_qs(query))
        answer = self._answers.pop(0) if self._answers else Answer(...)
        if isinstance(answer, Exception):
            raise answer
        return cast(ChangeStream, answer)

    @property
    def versions(self) -> Sequence[str]:
        return [asked.get("resourceVersion", [""])[0] for asked in self.asked]


class Followed:
    """A watch of which one execution follows the object ``shop``."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.server = Server(*answers)
        self.woken = threading.Semaphore(0)
        self.ended: list[int | None] = []
        self.watch = Watch("deployments of shop", self.server, self.ended.append)
        self.follow()
        self.watch.start()

    def follow(self) -> None:
        self.watch.followed.follow("shop", "one", self.woken.release)

    def asks(self, times: int) -> Sequence[str]:
        wait_for(lambda: len(self.server.asked) >= times)
        return self.server.versions

    def stop(self) -> None:
        self.watch.stop()
        self.watch.join(30)
        assert not self.watch._thread.is_alive()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.05)


def event(kind: str, version: str, name: str = "shop") -> dict[str, Any]:
    return {"type": kind, "object": {"metadata": {"name": name, "resourceVersion": version}}}


def bookmark(version: str) -> dict[str, Any]:
    return {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}}


def error(code: int) -> dict[str, Any]:
    return {"type": "ERROR", "object": {"code": code, "message": "no"}}


def test_what_the_server_ends_goes_on_from_the_last_version_or_bookmark() -> None:
    followed = Followed(
        Answer(event("ADDED", "7"), event("MODIFIED", "5", "other")),
        Answer(bookmark("x9")),
        Answer(),
    )
    assert followed.asks(4) == ["", "5", "x9", "x9"]
    assert followed.watch.get("shop") == event("ADDED", "7")["object"]
    assert followed.watch.is_reliable
    assert followed.server.asked[0] == {
        "watch": ["1"],
        "allowWatchBookmarks": ["true"],
        "timeoutSeconds": ["30"],
    }
    followed.stop()


@pytest.mark.parametrize("gone", [Answer(status=410), Answer(error(410))], ids=["status", "event"])
def test_a_version_that_the_server_no_longer_knows_begins_anew(gone: Answer) -> None:
    followed = Followed(Answer(event("ADDED", "7")), gone)
    assert followed.asks(3) == ["", "7", ""]
    wait_for(lambda: followed.watch.get("shop") is None)  # it may have been deleted meanwhile
    assert followed.watch.is_reliable
    followed.stop()


def test_what_is_deleted_and_made_again_wakes_each_time() -> None:
    followed = Followed(Answer(event("ADDED", "1"), ...))
    assert followed.woken.acquire(timeout=30)
    followed.stop()
    followed = Followed(Answer(event("DELETED", "2"), event("ADDED", "3"), ...))
    assert followed.woken.acquire(timeout=30)
    wait_for(lambda: followed.watch.get("shop") == event("ADDED", "3")["object"])
    followed.stop()


def test_one_broken_connection_changes_nothing() -> None:
    followed = Followed(Answer(event("ADDED", "7"), TimeoutError("frozen")))
    assert followed.asks(2) == ["", "7"]
    assert followed.watch.is_reliable and followed.watch.get("shop")
    followed.stop()


def test_one_that_does_not_come_back_has_everybody_look_by_themselves(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = [OSError("away") for _ in range(4)]
    gate = Answer(event("ADDED", "7"), TimeoutError("frozen"))
    followed = Followed(gate, *broken, Answer(bookmark("8"), ...))
    assert followed.woken.acquire(timeout=30)
    followed.follow()
    assert followed.woken.acquire(timeout=30)
    assert followed.asks(6) == ["", *["7"] * 5]
    wait_for(lambda: followed.watch.is_reliable)
    said = [record.getMessage() for record in caplog.records if "cannot be watched" in record.msg]
    assert len(said) == 1 and "deployments of shop" in said[0]
    followed.stop()


def test_what_cannot_be_read_is_a_fault_and_no_end() -> None:
    broken = Answer({"type": "ADDED"}), Answer(error(500)), Answer(status=503)
    followed = Followed(*broken, Answer(bookmark("8"), ...))
    assert followed.asks(4) == [""] * 4
    wait_for(lambda: followed.watch.is_reliable)
    followed.stop()


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_one_that_is_refused_ends_and_wakes(status: int) -> None:
    followed = Followed(Answer(status=status))
    assert followed.woken.acquire(timeout=30)
    followed.watch.join(30)
    assert (followed.ended, followed.watch.is_reliable) == ([status], False)


def test_silence_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    followed = Followed(Answer(event("ADDED", "7"), ...))
    wait_for(lambda: followed.watch.get("shop"))
    monkeypatch.setattr(module, "PROVEN_SECONDS", 0.0)
    assert followed.watch.get("shop") is None
    followed.stop()


def test_it_ends_when_nothing_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhook_drivers.kubernetes.watching.followed.KEPT_SECONDS", 0.0)
    followed = Followed()
    followed.watch.join(30)
    assert (followed.ended, followed.server.asked) == ([None], [])


def test_a_silent_one_is_stopped_at_once_and_wakes() -> None:
    followed = Followed()
    followed.asks(1)
    started = time.monotonic()
    followed.stop()
    assert time.monotonic() - started < 25 and followed.woken.acquire(blocking=False)
    assert followed.watch.get("shop") is None
