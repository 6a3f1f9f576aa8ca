"""Replay, cancel and simulate on the command line."""

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import PROJECT, Run, RunJson
from webhook_service import Call
from webhook_service.service import WebhookService
from webhook_service.testing.samples import dockerhub_push

PUSH = dockerhub_push("acme/shop", "1.2.3")


@pytest.fixture
def execution(receiver: Any) -> str:
    """The queued execution of a push."""
    with WebhookService.open(run=False) as opened:
        key = opened.receiver_key(PROJECT, receiver["id"])
        return opened.accept(PROJECT, key, Call(PUSH)).executions[0]


def test_an_execution_is_cancelled_and_replayed(
    run: Run, run_json: RunJson, execution: str
) -> None:
    refused = run("execution", "replay", execution)
    assert refused.exit_code == 1 and "cancel it" in refused.stderr
    assert run_json("execution", "cancel", execution)["state"] == "cancelled"
    replay = run_json("execution", "replay", execution)
    assert replay["state"] == "queued" and replay["id"] != execution
    states = [item["state"] for item in run_json("execution", "list")["data"]]
    assert states == ["queued", "cancelled"]


def test_a_simulation_reads_a_file_or_stdin(
    run_json: RunJson, receiver: Any, tmp_path: Path
) -> None:
    (tmp_path / "push.json").write_bytes(PUSH)
    arguments = ("receiver", "simulate", receiver["id"], "--header", "Content-Type: x", "-f")
    found = run_json(*arguments, str(tmp_path / "push.json"))
    assert [work["subject"] for work in found["planned"]] == ["docker.io/acme/shop:1.2.3"]
    piped = run_json(*arguments, "-", stdin=PUSH.decode())
    assert piped["planned"] == found["planned"]
    assert run_json("delivery", "list")["data"] == []


def test_a_missing_file_is_wrong_use(run: Run, receiver: Any) -> None:
    assert run("receiver", "simulate", receiver["id"], "-f", "/no/such/file").exit_code == 2
