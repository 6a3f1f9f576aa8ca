"""What a driver says about a config that works reaches people, and never stands in their way."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.support import PROJECT, make_service, receiver_body, sqlite_url
from webhook_service.driver import Context, DriverConfig, Plan, PushEvent
from webhook_service.errors import DriverError, Retry
from webhook_service.model.delivery import Call
from webhook_service.service import WebhookService
from webhook_service.testing.samples import dockerhub_push
from webhook_service.testing.stub import StubDriver

TOLD = "Deployment shop/shop is managed by Argo CD: commit the image to Git instead."


class Wordy(StubDriver):
    says: ClassVar[Any] = (TOLD,)

    def warnings(self, config: DriverConfig, context: Context) -> Any:
        if isinstance(self.says, BaseException):
            raise self.says
        return self.says

    def plan(self, config: Any, event: PushEvent, context: Context) -> Plan:
        return Plan(notes=("it would be deployed",))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebhookService]:
    service = make_service(sqlite_url(tmp_path), {"stub": Wordy}, run=False)
    yield service
    service.stop()


def test_a_saved_receiver_has_its_drivers_warnings(service: WebhookService) -> None:
    made = service.create_receiver(PROJECT, receiver_body())
    assert service.receiver_warnings(made) == (TOLD,)


def test_a_simulation_notes_the_warnings_behind_the_plan(service: WebhookService) -> None:
    made = service.create_receiver(PROJECT, receiver_body())
    (work,) = service.simulate(PROJECT, made.id, Call(dockerhub_push("acme/shop", "1.2.3"))).planned
    assert work.plan.notes == ("it would be deployed", TOLD)


@pytest.mark.parametrize(
    "says", [Retry("no answer"), DriverError("no"), KeyError("x"), SystemExit(1), TOLD, (3,), None]
)
def test_a_driver_that_cannot_look_has_no_warnings(
    service: WebhookService, monkeypatch: pytest.MonkeyPatch, says: object
) -> None:
    monkeypatch.setattr(Wordy, "says", says)
    made = service.create_receiver(PROJECT, receiver_body())
    assert service.receiver_warnings(made) == ()
    assert service.simulate(PROJECT, made.id, Call(dockerhub_push("acme/shop", "1.2.3"))).planned
