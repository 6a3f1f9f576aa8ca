"""``webhook-service receiver``: what its options mean, and what it prints."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.cli.conftest import PROJECT, Run, RunJson
from webhook_service.cli.json_input import read_headers
from webhook_service.errors import UnknownKey
from webhook_service.model.delivery import Call
from webhook_service.service import WebhookService
from webhook_service.testing.samples import dockerhub_push
from webhook_service.testing.stub import StubDriver


def key_in(receiver: Any) -> str:
    return str(parse_qs(urlsplit(receiver["url"]).query)["key"][0])


def test_create_prints_a_url_that_works(receiver: Any) -> None:
    url = urlsplit(receiver["url"])
    assert url._replace(query="").geturl() == "http://127.0.0.1:8085/v1-webhooks/endpoint"
    assert parse_qs(url.query)["projectId"] == [PROJECT]
    with WebhookService.open(run=False) as service:
        delivery = service.accept(PROJECT, key_in(receiver), Call(dockerhub_push("a/b", "1")))
    assert delivery.state == "accepted"


def test_a_name_that_is_taken_is_told_without_the_words_of_the_database(run: Run) -> None:
    for name in ("shop", "other"):
        assert run("receiver", "create", "--name", name, "--driver", "stub").exit_code == 0
    # `create` looks before it writes; here the database itself refuses.
    refused = run("receiver", "update", "other", "--name", "shop")
    assert refused.exit_code == 1
    assert "shop already exists" in refused.stderr
    assert "constraint" not in refused.stderr


def test_what_people_should_know_of_a_new_receiver_is_on_stderr(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ("Deployment shop is managed by Flux, which sets the image back.",)
    monkeypatch.setattr(StubDriver, "warnings", lambda self, config, context: said)
    made = run("receiver", "create", "--name", "shop", "--driver", "stub", "--output", "json")
    assert (made.exit_code, made.stderr) == (0, f"Warning: {said[0]}\n")
    assert "warnings" not in json.loads(made.stdout)
    shown = run("receiver", "show", "shop", "--output", "json")
    assert shown.stderr == "" and "warnings" not in json.loads(shown.stdout)


@pytest.mark.parametrize(
    "key", ["TA5hAHRjNMOmJh8WxHo9S85YjTLW32tr9EUmrVME", "a5b1f0de-4c1f-4b2a-9d3e-0123456789ab"]
)
def test_a_receiver_of_v1_6_keeps_its_key(run_json: RunJson, key: str) -> None:
    created = run_json(
        *("receiver", "create", "--name", "shop", "--driver", "stub", "--key-from-v16", key)
    )
    assert key_in(created) == key
    with WebhookService.open(run=False) as service:
        delivery = service.accept(PROJECT, key, Call(dockerhub_push("a/b", "1")))
    assert delivery.state == "accepted"


def test_what_is_no_key_of_v1_6_is_refused_and_not_repeated(run: Run) -> None:
    result = run(
        *("receiver", "create", "--name", "shop", "--driver", "stub"),
        *("--key-from-v16", "too-short-to-be-a-key"),
    )
    assert result.exit_code != 0
    assert "40 letters and digits" in result.stderr and "too-short" not in result.stderr


def test_the_url_begins_with_the_base_url(
    run_json: RunJson, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_SERVICE_BASE_URL", "https://hooks.example.com/")
    shown = run_json("receiver", "show", receiver["id"])
    assert shown["url"].startswith("https://hooks.example.com/v1-webhooks/endpoint?")
    assert shown["links"]["self"].startswith("https://hooks.example.com/v1-webhooks/receivers/")


def test_options_become_the_body(run_json: RunJson) -> None:
    created = run_json(
        *("receiver", "create", "--name", "shop", "--driver", "stub"),
        *("--config", '{"target": "here"}', "--format", "azure", "--verify", "none"),
        *("--repository", "acme/shop", "--repository", "acme/web"),
        *("--tag-policy", "semver", "--tag", "^1.2"),
    )
    assert created["stubConfig"] == {"type": "stub", "target": "here"}
    assert created["source"] == {"format": "azure"}
    assert created["match"]["repositories"] == ["acme/shop", "acme/web"]
    assert {"policy": "semver", "value": "^1.2"}.items() <= created["match"]["tags"].items()
    assert created["verify"] == {"scheme": "none"}


def test_a_tag_alone_is_an_exact_one(run_json: RunJson) -> None:
    created = run_json(
        *("receiver", "create", "--name", "shop", "--driver", "stub"),
        *("--tag", "latest", "--verify", "none"),
    )
    assert {"policy": "exact", "value": "latest"}.items() <= created["match"]["tags"].items()


def test_a_config_comes_from_a_file_too(run_json: RunJson, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"target": "there"}')
    config = f"@{tmp_path / 'config.json'}"
    created = run_json(
        "receiver", "create", "--name", "shop", "--driver", "stub", "--config", config
    )
    assert created["stubConfig"]["target"] == "there"


def test_a_body_comes_from_stdin_and_options_win_over_it(run_json: RunJson) -> None:
    body = {"name": "shop", "driver": "stub", "stubConfig": {"target": "a"}, "verify": None}
    arguments = ("receiver", "create", "-f", "-", "--name", "web")
    created = run_json(*arguments, stdin=json.dumps(body))
    assert (created["name"], created["stubConfig"]["target"]) == ("web", "a")


def test_a_receiver_can_be_sent_back_as_it_was_printed(run_json: RunJson, receiver: Any) -> None:
    changed = {**receiver, "name": "web"}
    updated = run_json("receiver", "update", receiver["id"], "-f", "-", stdin=json.dumps(changed))
    assert (updated["name"], updated["url"]) == ("web", receiver["url"])


def test_update_keeps_what_is_not_given(run_json: RunJson, receiver: Any) -> None:
    update = ("receiver", "update", receiver["id"])
    run_json(*update, "--repository", "acme/shop", "--verify", "none")
    updated = run_json(*update, "--tag-policy", "glob", "--tag", "1.*")
    assert updated["match"]["repositories"] == ["acme/shop"]
    assert {"policy": "glob", "value": "1.*"}.items() <= updated["match"]["tags"].items()
    assert updated["url"] == receiver["url"]


def test_update_takes_a_config_without_the_drivers_name(run_json: RunJson, receiver: Any) -> None:
    updated = run_json("receiver", "update", receiver["id"], "--config", '{"target": "b"}')
    assert updated["stubConfig"]["target"] == "b"


def test_list_shows_the_newest_first_and_pages(run: Run, run_json: RunJson, receiver: Any) -> None:
    other = run_json("receiver", "create", "--name", "web", "--driver", "stub")
    everything = run_json("receiver", "list")
    assert [item["id"] for item in everything["data"]] == [other["id"], receiver["id"]]
    first = run("receiver", "list", "--limit", "1")
    assert "web" in first.stdout and "shop" not in first.stdout
    marker = first.stderr.strip().rpartition(" ")[2]
    second = run_json("receiver", "list", "--limit", "1", "--marker", marker)
    assert [item["id"] for item in second["data"]] == [receiver["id"]]


def test_list_filters_by_name(run_json: RunJson, receiver: Any) -> None:
    run_json("receiver", "create", "--name", "web", "--driver", "stub")
    found = run_json("receiver", "list", "--name", "shop")
    assert [item["id"] for item in found["data"]] == [receiver["id"]]


def test_receivers_of_other_projects_are_not_there(run: Run, receiver: Any) -> None:
    result = run("receiver", "show", receiver["id"], "--project", "1a6")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"error: There is no receiver {receiver['id']!r} in the project 1a6: see 'receiver list'.\n"
    )


def test_rotate_gives_a_new_url_and_ends_the_old_one(run_json: RunJson, receiver: Any) -> None:
    rotated = run_json("receiver", "rotate", receiver["id"], "--overlap", "0")
    assert rotated["url"] != receiver["url"]
    call = Call(dockerhub_push("a/b", "1"))
    with WebhookService.open(run=False) as service:
        assert service.accept(PROJECT, key_in(rotated), call).state == "accepted"
        with pytest.raises(UnknownKey):
            service.accept(PROJECT, key_in(receiver), call)


def test_suspend_and_resume(run_json: RunJson, receiver: Any) -> None:
    assert run_json("receiver", "suspend", receiver["id"])["state"] == "suspended"
    assert run_json("receiver", "resume", receiver["id"])["state"] == "active"


def test_delete(run: Run, run_json: RunJson, receiver: Any) -> None:
    deleted = run_json("receiver", "delete", receiver["id"])
    assert deleted == {"id": receiver["id"], "state": "deleted"}
    assert run("receiver", "show", receiver["id"]).exit_code == 1


def test_what_the_service_refuses_is_one_line(run: Run) -> None:
    result = run("receiver", "create", "--name", "shop", "--driver", "nope")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: Invalid driver nope\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--config", "{"), "this is not JSON"),
        (("--config", "[]"), "not an object"),
        (("--config", "@/no/such/file"), "/no/such/file cannot be read: No such file"),
        (("--file", "/no/such/file"), "/no/such/file cannot be read: No such file"),
        (("--verify", "{"), "this is not JSON"),
    ],
)
def test_options_that_cannot_be_read_are_wrong_use(
    run: Run, arguments: tuple[str, str], complaint: str
) -> None:
    result = run("receiver", "create", "--name", "shop", "--driver", "stub", *arguments)
    assert result.exit_code == 2
    assert arguments[0] in result.stderr
    assert complaint in result.stderr


def test_a_table_has_the_url_unbroken(run: Run, receiver: Any) -> None:
    result = run("receiver", "show", receiver["id"])
    assert receiver["url"] in result.stdout
    assert "deploymentUpdateConfig" not in result.stdout


KEY = "TA5hAHRjNMOmJh8WxHo9S85YjTLW32tr9EUmrVME"
FROM_FILES = [
    ("--key-from-v16", KEY),
    ("--verify", '{"scheme": "github", "secret": "hunter2"}'),
    ("--config", '{"target": "hunter2"}'),
]


@pytest.mark.parametrize(("option", "secret"), FROM_FILES)
@pytest.mark.parametrize("stdin", [True, False])
def test_no_secret_needs_to_stand_on_the_command_line(
    run: Run, tmp_path: Path, option: str, secret: str, stdin: bool
) -> None:
    (tmp_path / "secret").write_text(f"{secret}\n")
    given = "-" if stdin else f"@{tmp_path / 'secret'}"
    common = ("receiver", "create", "--name", "x", "--driver", "stub", "-o", "json")
    made = run(*common, option, given, stdin=f"{secret}\n")
    assert made.exit_code == 0, made.stderr
    found = json.loads(made.stdout)
    expected = {
        "--key-from-v16": KEY in found["url"],
        "--verify": found["verify"].get("secret") == "********",
        "--config": found["stubConfig"].get("target") == "hunter2",
    }
    assert expected[option]


def test_headers_of_a_simulation_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "headers").write_text("Content-Type: application/json\nX-Token: hunter2\n")
    assert read_headers([f"@{tmp_path / 'headers'}", "A: b"]) == {
        "content-type": "application/json",
        "x-token": "hunter2",
        "a": "b",
    }
