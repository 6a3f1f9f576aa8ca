"""The watches of one connection: as few as possible, and none for ever."""

import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest

from tests.drivers.watching.test_watch import Answer
from tests.support import wait_for
from webhook_drivers.kubernetes.api.resources import Address
from webhook_drivers.kubernetes.images.workloads import WORKLOADS
from webhook_drivers.kubernetes.watching import watches as module
from webhook_drivers.kubernetes.watching.change_stream import ChangeStream
from webhook_drivers.kubernetes.watching.watches import Watches


class Server:
    def __init__(self) -> None:
        self.paths: list[str] = []
        self.status = 200

    def __call__(self, path: str, headers: Mapping[str, str], silence: float) -> ChangeStream:
        self.paths.append(path.partition("?")[0])
        return cast(ChangeStream, Answer(..., status=self.status))


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def watches(server: Server) -> Iterator[Watches]:
    watches = Watches("moon", server, most=3)
    yield watches
    watches.close()


def follow(watches: Watches, name: str, namespace: str = "red", kind: str = "Deployment") -> bool:
    address = Address(WORKLOADS[kind].resource, namespace, name)
    return watches.follow(address, {}, f"exe-{name}", lambda: None, begin=True)


def threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "kubernetes-watch"]


def test_all_executions_of_a_kind_and_namespace_share_one(server: Server, watches: Watches) -> None:
    assert all(follow(watches, f"shop-{number}") for number in range(1000))
    assert follow(watches, "shop", "blue") and follow(watches, "shop", "red", "DaemonSet")
    wait_for(lambda: len(server.paths) == 3)
    assert len(threads()) == 3 and len(set(server.paths)) == 3


def test_there_are_no_more_than_so_many(watches: Watches) -> None:
    assert [follow(watches, "shop", f"space-{number}") for number in range(5)] == [
        *[True] * 3,
        *[False] * 2,
    ]
    assert len(threads()) == 3


def test_none_begins_for_what_may_need_none(server: Server, watches: Watches) -> None:
    address = Address(WORKLOADS["Deployment"].resource, "red", "shop")
    assert not watches.follow(address, {}, "exe", lambda: None, begin=False)
    assert (server.paths, threads(), watches.get(address)) == ([], [], None)
    watches.wrote(address, {"metadata": {}})


def test_one_that_is_refused_is_said_once_and_tried_again_later(
    server: Server,
    watches: Watches,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server.status = 403
    follow(watches, "shop")
    wait_for(lambda: not watches._watches)
    assert not follow(watches, "shop") and len(server.paths) == 1
    later = time.monotonic() + module.REFUSED_SECONDS + 1
    monkeypatch.setattr(module, "monotonic", lambda: later)
    follow(watches, "shop")
    wait_for(lambda: len(server.paths) == 2 and not watches._watches)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1 and "deployments.apps in namespace red (403)" in said[0]


def test_the_end_takes_no_longer_than_a_second(server: Server, watches: Watches) -> None:
    for number in range(3):
        follow(watches, "shop", f"space-{number}")
    wait_for(lambda: len(server.paths) == 3)
    started = time.monotonic()
    watches.close()
    assert time.monotonic() - started < 20
    assert threads() == [] and not follow(watches, "shop")


def test_one_that_hangs_holds_up_the_end_for_a_second_only() -> None:
    gate = threading.Event()

    def hang(*_: Any) -> ChangeStream:
        assert gate.wait(30)
        return cast(ChangeStream, Answer())

    watches = Watches("moon", hang)
    follow(watches, "shop")
    started = time.monotonic()
    watches.close()
    assert 1 <= time.monotonic() - started < 20
    gate.set()
    wait_for(lambda: threads() == [])
