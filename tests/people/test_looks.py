"""Drivers are asked what runs once for each slot, and nothing they say stands in the way."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.support import PROJECT, make_service, push, receiver_body, sqlite_url, wait_for_end
from webhook_service.driver import Context, DriverConfig, Observed, PushEvent
from webhook_service.errors import DriverError, Retry
from webhook_service.model.history.revision import Revision, Standing
from webhook_service.people import looks
from webhook_service.plugins.bounded import MAX_OF_OWNER
from webhook_service.service import WebhookService
from webhook_service.testing.stub import StubDriver

SEEN = Observed(target="shop", image="acme/shop:1.2.3")


class Sighted(StubDriver):
    says: ClassVar[Any] = (SEEN,)
    asked: ClassVar[int] = 0

    def slot(self, config: Any, event: PushEvent) -> str:
        return event.repository

    def observe(self, config: DriverConfig, event: PushEvent, context: Context) -> Any:
        type(self).asked += 1
        if isinstance(self.says, threading.Event):
            self.says.wait(30)
            return None
        if isinstance(self.says, BaseException):
            raise self.says
        return self.says


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebhookService]:
    with make_service(sqlite_url(tmp_path), {"stub": Sighted}) as service:
        yield service


def history(service: WebhookService, *repositories: str) -> list[Revision]:
    made = service.create_receiver(PROJECT, receiver_body())
    key = service.receiver_key(PROJECT, made.id)
    for repository in repositories:
        (execution,) = push(service, key, repository=repository).executions
        wait_for_end(service, execution)
    Sighted.asked = 0
    return service.interventions.history(PROJECT, made.id)


def test_what_a_driver_sees_is_the_standing(service: WebhookService) -> None:
    (revision,) = history(service, "acme/shop")
    assert (revision.live, revision.standing) == (True, Standing.LIVE)
    assert Sighted.asked == 1


@pytest.mark.parametrize(
    ("says", "note"),
    [
        (None, "cannot look what runs"),
        (DriverError("The Role lacks get."), "Nobody knows what runs: The Role lacks get."),
        (KeyError("x"), "failed with KeyError"),
        (("shop",), "gave what cannot be used"),
    ],
)
def test_what_cannot_be_seen_is_unknown_and_says_why(
    service: WebhookService, monkeypatch: pytest.MonkeyPatch, says: object, note: str
) -> None:
    monkeypatch.setattr(Sighted, "says", says)
    (revision,) = history(service, "acme/shop")
    assert (revision.live, revision.standing) == (True, Standing.UNKNOWN)
    assert note in revision.note


def test_a_cluster_that_does_not_answer_is_asked_once(
    service: WebhookService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sighted, "says", Retry("It does not answer."))
    shown = history(service, "acme/shop", "acme/proxy")
    assert [revision.standing for revision in shown] == [Standing.UNKNOWN] * 2
    assert Sighted.asked == 1


def test_while_a_driver_hangs_nobody_knows_what_runs_and_only_so_many_looks_are_left_behind(
    service: WebhookService, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    monkeypatch.setattr(looks, "LOOK", replace(looks.LOOK, seconds=0.05))
    monkeypatch.setattr(Sighted, "says", released)
    shown = history(service, "acme/shop")
    for _ in range(MAX_OF_OWNER):
        shown += service.interventions.history(PROJECT, shown[0].execution.receiver)
    released.set()
    assert {revision.standing for revision in shown} == {Standing.UNKNOWN}
    assert "the driver did not answer in" in shown[0].note
    assert "the driver hangs; the log of the service says where" in shown[-1].note
    assert Sighted.asked == MAX_OF_OWNER
