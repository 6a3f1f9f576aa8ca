"""What a child takes from its parent, and tells it."""

import json
import os
import signal
import socket
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from webhook_service.processes import child
from webhook_service.processes.child import HostPlace
from webhook_service.settings import Settings, load_settings


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A place, the parent's end of its channel, and the signals that its process sent itself."""
    monkeypatch.setattr(child, "BEAT_SECONDS", 0.02)
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *arguments: sent.append(arguments))
    ours, theirs = socket.socketpair()
    with ours, theirs, socket.socket() as listener:
        ours.settimeout(10)
        yield SimpleNamespace(
            place=HostPlace(0, Settings.model_construct(), listener, theirs), parent=ours, sent=sent
        )


def watch(place: HostPlace, *, is_stuck: bool) -> threading.Thread:
    service: Any = SimpleNamespace(is_stuck=is_stuck)
    metrics: Any = SimpleNamespace(keep=lambda: None)
    thread = threading.Thread(target=place._watch, args=(service, metrics))
    thread.start()
    return thread


def test_all_settings_arrive_as_they_were_and_what_is_open_is_not_passed_on() -> None:
    settings = load_settings(
        database_url="postgresql://user:password@db/x",
        secret_key="a secret key of the tests",
        trusted_proxies="10.0.0.0/8, ::1/128",
        namespaces={"shop": ["one", "two/three"]},
        clusters={"two": {"context": "two"}},
        drivers="stub",
        docker_config="/etc/docker.json",
        address_rate=0.5,
    )
    parent, ours = socket.socketpair()
    with parent, socket.socket() as listener:
        told = {"number": 3, "settings": settings.model_dump(mode="json")}
        parent.sendall(json.dumps(told).encode() + b"\n")
        os.set_inheritable(ours.fileno(), True)
        place = HostPlace.taken(listener.detach(), ours.detach())
        with place.listener, place.parent:
            assert (place.number, place.settings) == (3, settings)
            assert not place.parent.get_inheritable() and not place.listener.get_inheritable()


def test_a_child_that_is_stuck_says_so_once(place: Any) -> None:
    watching = watch(place.place, is_stuck=True)
    assert place.parent.recv(100) == b"stuck\n"
    place.parent.settimeout(0.2)
    with pytest.raises(TimeoutError):
        place.parent.recv(100)
    place.parent.close()
    watching.join(10)


def test_a_child_without_a_parent_ends_itself(place: Any) -> None:
    watching = watch(place.place, is_stuck=False)
    watching.join(0.2)
    assert watching.is_alive() and not place.sent
    place.parent.close()
    watching.join(10)
    assert place.sent == [(os.getpid(), signal.SIGTERM)]
