"""Looks at what runs: a driver that hangs is given up, and its people are told."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support import PROJECT, add_receiver, make_service, push, sqlite_url, wait_for_end
from webhook_service.driver import Observed
from webhook_service.people import looks
from webhook_service.plugins.bounded import MAX_OF_OWNER
from webhook_service.service import WebhookService
from webhook_service.testing.stub import StubDriver


class Hanging(StubDriver):
    released = threading.Event()

    def observe(self, *_: Any) -> tuple[Observed, ...]:
        self.released.wait(30)
        return ()


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebhookService]:
    monkeypatch.setattr(looks, "LOOK", replace(looks.LOOK, seconds=0.05))
    Hanging.released.clear()
    with make_service(sqlite_url(tmp_path), {"stub": Hanging}) as service:
        yield service
        Hanging.released.set()


def test_a_history_says_that_nobody_knows_what_runs_while_the_driver_hangs(
    service: WebhookService,
) -> None:
    receiver, key = add_receiver(service)
    wait_for_end(service, push(service, key).executions[0])
    notes = []
    for _ in range(MAX_OF_OWNER + 1):
        (revision,) = service.interventions.history(PROJECT, receiver)
        assert revision.standing == "unknown"
        notes.append(revision.note)
    assert "the driver did not answer" in notes[0]
    assert "the driver hangs; the log of the service says where" in notes[-1]
    assert service.bounded.hanging == MAX_OF_OWNER
