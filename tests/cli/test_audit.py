"""``webhook-service audit``: what commands leave behind."""

import os
import pwd
from typing import Any

import pytest

from tests.cli.conftest import Run, RunJson


def test_commands_name_the_login_and_the_account_of_the_system(
    run: Run, run_json: RunJson, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "somebody-else")
    run("receiver", "suspend", receiver["id"])
    newest, oldest = run_json("audit", "list", "--receiver", "shop")["data"]
    account = pwd.getpwuid(os.getuid()).pw_name
    assert (newest["action"], oldest["action"]) == ("receiver.suspended", "receiver.created")
    assert (newest["actor"], newest["via"]) == ("cli:somebody-else", "cli")
    assert newest["address"] == oldest["address"] == account


@pytest.mark.parametrize(
    ("command", "action"),
    [
        (("receiver", "update", "ID", "--name", "new"), "receiver.updated"),
        (("receiver", "rotate", "ID"), "receiver.rotated"),
        (("receiver", "resume", "ID"), "receiver.resumed"),
        (("receiver", "delete", "ID"), "receiver.deleted"),
        (("token", "create", "--role", "member"), "token.created"),
    ],
)
def test_each_command_is_an_entry(
    run: Run, run_json: RunJson, receiver: Any, command: tuple[str, ...], action: str
) -> None:
    words = [receiver["id"] if word == "ID" else word for word in command]
    if action == "receiver.resumed":
        run("receiver", "suspend", receiver["id"])
    assert run(*words).exit_code == 0
    (entry,) = run_json("audit", "list", "--action", action)["data"]
    assert entry["via"] == "cli"


def test_a_revoked_token_is_an_entry(run: Run, run_json: RunJson) -> None:
    token = run_json("token", "create", "--role", "member")
    run("token", "revoke", token["id"])
    (entry,) = run_json("audit", "list", "--action", "token.revoked")["data"]
    assert (entry["subject"], token["token"] in str(entry)) == (token["id"], False)


def test_the_table_names_the_fields(run: Run, receiver: Any) -> None:
    run("receiver", "update", receiver["id"], "--name", "new")
    heading, newest, *_ = run("audit", "list").stdout.splitlines()
    assert heading.split() == "AGE ACTOR VIA ACTION SUBJECT FIELDS".split()
    assert "receiver.updated" in newest and newest.rstrip().endswith("name, version")


def test_entries_are_chosen_by_actor_and_age(run_json: RunJson, receiver: Any) -> None:
    (entry,) = run_json("audit", "list")["data"]
    assert run_json("audit", "list", "--actor", entry["actor"], "--since", "1h")["data"] == [entry]
    assert run_json("audit", "list", "--until", "1h")["data"] == []
    assert run_json("audit", "list", "--actor", "nobody")["data"] == []


def test_an_unknown_action_is_refused_with_the_known_ones(run: Run) -> None:
    refused = run("audit", "list", "--action", "x")
    assert refused.exit_code == 1 and "receiver.rotated" in refused.stderr
