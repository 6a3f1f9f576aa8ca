"""``webhook-service notification``: made, changed, tried, ended."""

import json
from pathlib import Path

from tests.cli.conftest import Run, RunJson

URL = "https://hooks.slack.com/services/T0KEN"
CONFIG = json.dumps({"url": URL})


def make(run_json: RunJson, *more: str) -> str:
    words = ("--name", "ops", "--kind", "slack", "--on", "failed", "--config", CONFIG)
    made = run_json("notification", "create", *words, *more)
    assert made["slackConfig"] == {"url": "********"}
    return str(made["id"])


def test_a_notification_is_made_found_by_name_changed_and_deleted(
    run: Run, run_json: RunJson
) -> None:
    id_ = make(run_json, "--when", "event.tag != 'latest'")
    shown = run_json("notification", "show", "ops")
    assert (shown["id"], shown["on"], shown["last"]) == (id_, ["failed"], None)
    words = ("--on", "held", "--on", "refused", "--when", "", "--name", "people")
    changed = run_json("notification", "update", "ops", *words)
    assert (changed["name"], changed["on"], changed["when"]) == (
        "people",
        ["held", "refused"],
        None,
    )
    assert URL not in run("notification", "list").stdout
    assert "people" in run("notification", "list").stdout
    assert run("notification", "delete", id_).exit_code == 0
    assert run_json("notification", "list")["data"] == []


def test_a_test_waits_until_the_service_sends_it(run: Run, run_json: RunJson) -> None:
    make(run_json)
    notice = run_json("notification", "test", "ops")
    assert (notice["happened"], notice["state"], notice["attempts"]) == ("test", "queued", [])
    (listed,) = run_json("notification", "notices", "ops")["data"]
    assert listed["id"] == notice["id"]
    assert "delivery" not in listed["links"] and "execution" not in listed["links"]
    assert run_json("notification", "notices", "ops", "--state", "failed")["data"] == []
    again = run("notification", "replay", "ops", notice["id"])
    assert (again.exit_code, "let it end" in again.stderr) == (1, True)
    assert run_json("notification", "show", "ops")["last"]["state"] == "queued"


def test_a_file_and_options_make_one_together(run_json: RunJson, tmp_path: Path) -> None:
    file = tmp_path / "notification.json"
    body = {"name": "x", "kind": "slack", "on": ["failed"], "slackConfig": {"url": URL}}
    file.write_text(json.dumps(body))
    made = run_json("notification", "create", "-f", str(file), "--name", "of options")
    assert (made["name"], made["on"]) == ("of options", ["failed"])


def test_what_is_wrong_is_said_in_a_line(run: Run) -> None:
    done = run("notification", "create", "--name", "x", "--kind", "pigeon", "--on", "failed")
    assert done.exit_code == 1 and "kind: say how people are told" in done.stderr
    missing = run("notification", "show", "nobody")
    assert (missing.exit_code, "Notification not found" in missing.stderr) == (1, True)


def test_a_wrong_word_is_one_problem_and_nothing_another_in_plain_words(run: Run) -> None:
    words = ("notification", "create", "--name", "ops", "--kind", "slack", "--config", CONFIG)
    wrong = run(*words, "--on", "failing").stderr
    assert "on: can have succeeded" in wrong and "rolledBack" in wrong and "at least" not in wrong
    mail = ("notification", "create", "--name", "ops", "--kind", "mail", "--on", "failed")
    none = run(*mail, "--config", '{"to": []}').stderr
    assert "mailConfig.to: must have at least 1 item" in none and "Tuple" not in none
