"""``webhook-service token``: made, listed, revoked."""

from datetime import datetime
from typing import Any

import pytest

from tests.cli.conftest import PROJECT, Run, RunJson
from webhook_service.model.people.tokens import Role
from webhook_service.service import WebhookService


def test_a_token_is_printed_once_and_works(run: Run, run_json: RunJson) -> None:
    created = run_json("token", "create", "--role", "member")
    with WebhookService.open(run=False) as service:
        found = service.store.tokens.find(created["token"])
    assert found is not None
    assert (found.id, found.project, found.role) == (created["id"], PROJECT, Role.MEMBER)
    assert created["token"] not in run("token", "list").stdout


def test_tokens_are_listed_by_project(run_json: RunJson) -> None:
    mine = run_json("token", "create", "--role", "owner")
    run_json("token", "create", "--role", "owner", "--project", "1a6")
    assert len(run_json("token", "list")["data"]) == 2
    listed = run_json("token", "list", "--project", PROJECT)["data"]
    assert [(item["id"], item["role"]) for item in listed] == [(mine["id"], "owner")]


def test_a_revoked_token_no_longer_works(run: Run, run_json: RunJson) -> None:
    created = run_json("token", "create", "--role", "owner")
    assert run("token", "revoke", created["id"]).exit_code == 0
    with WebhookService.open(run=False) as service:
        assert service.store.tokens.find(created["token"]) is None
    assert run_json("token", "list")["data"][0]["revoked"]
    again = run("token", "revoke", created["id"])
    assert (again.exit_code, again.stderr.count("\n")) == (1, 1)


def test_a_role_that_does_not_exist_is_wrong_use(run: Run) -> None:
    result = run("token", "create", "--role", "king")
    assert result.exit_code == 2
    assert "'owner', 'member', 'readonly'" in result.stderr


def test_a_token_has_a_name_an_end_and_a_last_use(run: Run, run_json: RunJson) -> None:
    created = run_json("token", "create", "--role", "owner", "--name", "ci", "--expires", "90d")
    ends = datetime.fromisoformat(created["expires"]) - datetime.fromisoformat(created["created"])
    assert (created["name"], round(ends.total_seconds() / 86400, 3)) == ("ci", 90)
    assert created["used"] is None
    with WebhookService.open(run=False) as service:
        service.find_token(created["token"])
    assert run_json("token", "list")["data"][0]["used"]
    assert "ci" in run("token", "list").stdout


@pytest.mark.parametrize("end", ["2020-01-01", "0s", "soon"])
def test_a_token_that_would_be_of_no_use_is_refused(run: Run, end: str) -> None:
    result = run("token", "create", "--role", "owner", "--expires", end)
    assert result.exit_code in (1, 2) and "Traceback" not in result.stderr
    assert result.stdout == ""


def test_who_adds_a_second_project_is_told_which_grants_are_missing(
    run: Run, receiver: Any
) -> None:
    assert "NAMESPACES" not in run("token", "create", "--role", "owner").stderr
    added = run("token", "create", "--role", "owner", "--project", "another")
    assert added.exit_code == 0
    assert f'"{PROJECT}": ["default/{PROJECT}", "stub/tests"]' in added.stderr
