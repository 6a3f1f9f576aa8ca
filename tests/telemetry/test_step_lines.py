"""What a service that runs writes about its calls and steps, as JSON."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import PROJECT, SECRET, add_receiver, push, sqlite_url, wait_for_end
from webhook_service.driver import Context, Outcome, PushEvent
from webhook_service.errors import DriverError
from webhook_service.service import WebhookService
from webhook_service.settings import load_settings
from webhook_service.telemetry.logs import JsonFormatter
from webhook_service.testing.stub import StubConfig, StubDriver

NAMES = ("service", "drivers")


class Talking(StubDriver):
    """A driver that logs, knowing nothing of fields."""

    def execute(self, config: StubConfig, event: PushEvent, context: Context) -> Outcome:
        logging.getLogger("webhook_drivers.talking").info("at work")
        return super().execute(config, event, context)


class Lines(logging.Handler):
    """Keeps what would be written, formatted where it was logged."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.all.append(json.loads(JsonFormatter().format(record)))

    def of(self, logger: str) -> list[dict[str, Any]]:
        return [line for line in self.all if line["logger"] == logger]


@pytest.fixture
def lines() -> Iterator[Lines]:
    lines, loggers = Lines(), [logging.getLogger(f"webhook_{name}") for name in NAMES]
    for logger in loggers:
        logger.addHandler(lines)
        logger.setLevel(logging.INFO)
    yield lines
    for logger in loggers:
        logger.removeHandler(lines)
        logger.setLevel(logging.NOTSET)


def test_a_failed_rollout_is_a_warning_with_all_that_it_is_about(
    tmp_path: Path, lines: Lines
) -> None:
    settings = load_settings(database_url=sqlite_url(tmp_path), secret_key=SECRET)
    with WebhookService.open(settings) as service:
        service.drivers.add("stub", Talking)
        stub = service.drivers.get("stub")
        assert isinstance(stub, StubDriver)
        receiver, key = add_receiver(service)
        stub.steps = [DriverError("no such Deployment", code="not_found")]
        delivery = push(service, key)
        wait_for_end(service, delivery.executions[0])
    about = {
        "project": PROJECT,
        "receiver": receiver,
        "delivery": delivery.id,
        "execution": delivery.executions[0],
        "driver": "stub",
        "attempt": 1,
    }
    (said,) = lines.of("webhook_drivers.talking")
    (step,) = lines.of("webhook_service.engine.attempt")
    assert about.items() <= said.items() and about.items() <= step.items()
    assert (step["level"], step["state"], step["reason"]) == ("warning", "failed", "not_found")
    assert 0 <= step["seconds"] < 10


def test_a_step_that_went_well_is_no_warning(tmp_path: Path, lines: Lines) -> None:
    settings = load_settings(database_url=sqlite_url(tmp_path), secret_key=SECRET)
    with WebhookService.open(settings) as service:
        service.drivers.add("stub", StubDriver)
        _, key = add_receiver(service)
        wait_for_end(service, push(service, key).executions[0])
    (step,) = lines.of("webhook_service.engine.attempt")
    assert (step["level"], step["state"]) == ("info", "succeeded")
