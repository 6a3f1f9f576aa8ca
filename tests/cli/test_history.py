"""``webhook-service delivery`` and ``execution``: what came in, and what was done."""

import time
from typing import Any

import pytest

from tests.cli.conftest import PROJECT, Run, RunJson
from tests.cli.test_receiver import key_in
from webhook_service.errors import InvalidPayload
from webhook_service.model.delivery import Call
from webhook_service.model.execution import ENDED
from webhook_service.service import WebhookService
from webhook_service.testing.samples import distribution_push, dockerhub_push


@pytest.fixture
def delivery(receiver: Any) -> str:
    """A delivery whose execution has ended."""
    with WebhookService.open() as service:
        call = Call(dockerhub_push("acme/shop", "1.2.3"))
        accepted = service.accept(PROJECT, key_in(receiver), call)
        deadline = time.monotonic() + 30
        while service.get_execution(PROJECT, accepted.executions[0]).state not in ENDED:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    return accepted.id


def test_deliveries_are_listed_and_shown(run_json: RunJson, delivery: str, receiver: Any) -> None:
    listed = run_json("delivery", "list", "--receiver", receiver["id"], "--state", "accepted")
    assert [item["id"] for item in listed["data"]] == [delivery]
    shown = run_json("delivery", "show", delivery)
    assert shown["state"] == "accepted"
    assert shown["items"][0]["subject"] == "docker.io/acme/shop:1.2.3"


def test_refused_calls_are_listed_and_shown_with_why(
    run: Run, run_json: RunJson, receiver: Any
) -> None:
    envelope = distribution_push("registry.example", "acme/shop", "1.2.3")
    with WebhookService.open() as service, pytest.raises(InvalidPayload):
        service.accept(PROJECT, key_in(receiver), Call(envelope))
    (found,) = run_json("delivery", "list", "--state", "refused")["data"]
    assert found["reason"] == "invalid_payload"
    shown = run("delivery", "show", found["id"]).stdout
    assert "looks like distribution; this receiver's format is dockerhub" in shown


def test_executions_are_listed_and_shown(run_json: RunJson, delivery: str) -> None:
    listed = run_json("execution", "list", "--delivery", delivery)
    (execution,) = listed["data"]
    shown = run_json("execution", "show", execution["id"])
    assert shown["state"] == "succeeded"
    assert shown["event"]["image"] == "docker.io/acme/shop:1.2.3"
    assert [attempt["number"] for attempt in shown["attempts"]] == [1]


def test_tables_name_the_image_and_the_state(run: Run, delivery: str) -> None:
    table = run("execution", "list").stdout.splitlines()
    assert table[0].split() == "ID STATE RECEIVER IMAGE AGE".split()
    assert table[1].split()[1:4] == ["succeeded", "shop", "acme/shop:1.2.3"]


def test_a_shown_execution_has_its_attempts_in_the_table(
    run: Run, run_json: RunJson, delivery: str
) -> None:
    (execution,) = run_json("execution", "list")["data"]
    shown = run("execution", "show", execution["id"]).stdout
    assert '"number": 1' in shown


def test_other_states_are_filtered_out(run_json: RunJson, delivery: str) -> None:
    assert run_json("execution", "list", "--state", "failed")["data"] == []
    assert run_json("delivery", "list", "--state", "ignored")["data"] == []


@pytest.mark.parametrize("noun", ["delivery", "execution"])
def test_an_unknown_id_is_one_line(run: Run, noun: str) -> None:
    result = run(noun, "show", "no_such_id")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
