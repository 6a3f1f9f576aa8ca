"""Replay of many, approvals and rollback on the command line."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cli.conftest import PROJECT, Run, RunJson
from tests.support import push
from webhook_service.cli.times import read_moment
from webhook_service.model.execution import ExecutionState, Verdict
from webhook_service.service import WebhookService

DONE = Verdict(ExecutionState.SUCCEEDED, "done")
FAILED = Verdict(ExecutionState.FAILED, "no", "image_missing")


def deploy(receiver: str, tag: str, verdict: Verdict = DONE) -> str:
    """The ended execution of a push."""
    with WebhookService.open(run=False) as opened:
        key = opened.receiver_key(PROJECT, receiver)
        (execution,) = push(opened, key, tag, pushed_at=None).executions
        for claim in opened.store.claims.claim(1):
            opened.store.claims.record(claim, verdict)
    return execution


def test_all_that_failed_is_replayed(run: Run, run_json: RunJson, receiver: Any) -> None:
    failed = deploy(receiver["id"], "1.2.3", FAILED)
    options = ("--state", "failed", "--receiver", "shop", "--since", "2h")
    dry = run_json("execution", "replay", *options, "--dry-run")
    assert (dry["replayed"], dry["executions"]) == ([failed], [])
    made = run_json("execution", "replay", *options, "--as-of", "--by", "alice")
    (replay,) = made["executions"]
    shown = run_json("execution", "show", replay)
    assert (shown["replayOf"], shown["requestedBy"]) == (failed, "alice")
    assert run_json("execution", "replay", *options)["replayed"] == []


@pytest.mark.parametrize(("limit", "lines"), [(9, 2), (4, 1), (2, 0)])
def test_many_are_replayed_a_part_at_a_time(
    limit: int, lines: int, run: Run, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook_service.cli.commands.executions.replay.PART", 2)
    failed = [deploy(receiver["id"], f"1.2.{number}", FAILED) for number in range(5)]
    words = ("execution", "replay", "--state", "failed", "--limit", str(limit), "-o", "json")
    result = run(*words)
    made = json.loads(result.stdout)
    assert made["replayed"] == failed[:limit]
    assert (len(made["executions"]), made["remaining"]) == (min(limit, 5), max(5 - limit, 0))
    total = min(limit, 5)
    told = [f"replayed {done} of {total}" for done in (2, 4)][:lines]
    assert result.stderr.splitlines() == told


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("exe_1", "--state", "failed"),
        ("exe_1", "--dry-run"),
        ("--state", "running"),
        ("--since", "yesterday"),
    ],
)
def test_a_replay_that_means_nothing_is_wrong_use(run: Run, words: tuple[str, ...]) -> None:
    assert run("execution", "replay", *words).exit_code == 2


def test_an_unknown_receiver_is_named(run: Run) -> None:
    result = run("rollback", "nowhere")
    assert result.exit_code == 1 and "no receiver 'nowhere'" in result.stderr


def test_a_rollback_by_name_leads_to_what_ran_before(
    run: Run, run_json: RunJson, receiver: Any
) -> None:
    first, _ = deploy(receiver["id"], "1.0.0"), deploy(receiver["id"], "2.0.0")
    history = run_json("receiver", "history", "shop")["data"]
    assert [(item["image"][-5:], item["live"]) for item in history] == [
        ("2.0.0", True),
        ("1.0.0", False),
    ]
    assert "acme/shop:2.0.0" in run("receiver", "history", receiver["id"]).stdout
    made = run_json("rollback", "shop", "--by", "alice")
    assert (made["event"]["tag"], made["requestedBy"]) == ("1.0.0", "alice")
    named = run_json("rollback", "shop", "--to", first)
    assert named["event"]["tag"] == "1.0.0" and named["requestedBy"].startswith("cli:")
    refused = run("rollback", "shop", "--repository", "acme/other")
    assert refused.exit_code == 1 and "docker.io/acme/shop" in refused.stderr


def test_what_waits_for_approval_is_listed_and_decided(run: Run, run_json: RunJson) -> None:
    body = (
        '{"name": "asks", "driver": "stub", "approval": {"count": 1}, "verify": {"scheme": "none"}}'
    )
    receiver = run_json("receiver", "create", "--file", "-", stdin=body)
    first = deploy(receiver["id"], "1.0.0")
    (listed,) = run_json("execution", "held")["data"]
    assert (listed["id"], listed["approval"]["needed"]) == (first, 1)
    approved = run_json("execution", "approve", first, "--by", "alice")
    assert (approved["state"], approved["approval"]["votes"][0]["voter"]) == ("queued", "alice")
    second = deploy(receiver["id"], "2.0.0")
    refused = run_json("execution", "refuse", second)
    assert (refused["state"], refused["reason"]) == ("cancelled", "refused")
    assert run_json("execution", "held")["data"] == []


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("3d", 259200)]
)
def test_an_age_is_a_moment(text: str, seconds: int) -> None:
    passed = datetime.now(UTC) - read_moment(text)
    assert abs(passed - timedelta(seconds=seconds)) < timedelta(seconds=20)


def test_a_moment_without_zone_is_local() -> None:
    assert read_moment("2026-11-22T10:00:00Z") == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert read_moment("2026-11-22T10:00:00").tzinfo is not None
