"""``webhook-service format`` and ``scheme``: what is installed, and whose a body is."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Run, RunJson
from webhook_service import CONTRACT
from webhook_service.cli import prompts
from webhook_service.plugins import discovery
from webhook_service.testing.samples import dockerhub_push, sample_push

BOTH = ["format", "scheme"]


@pytest.fixture(params=BOTH)
def broken(request: pytest.FixtureRequest, install_torn: Callable[[str], None]) -> str:
    noun: str = request.param
    install_torn({"format": discovery.FORMATS, "scheme": discovery.SCHEMES}[noun])
    return noun


@pytest.fixture
def push(tmp_path: Path) -> str:
    path = tmp_path / "push.json"
    path.write_bytes(dockerhub_push("acme/shop", "1.2.3"))
    return str(path)


def test_formats_are_listed_with_their_senders(run_json: RunJson) -> None:
    formats = {item["name"]: item for item in run_json("format", "list")["data"]}
    assert (formats["harbor"]["state"], formats["harbor"]["sender"]) == ("ready", "Harbor")


def test_schemes_are_listed_with_what_they_check(run_json: RunJson) -> None:
    schemes = {item["name"]: item for item in run_json("scheme", "list")["data"]}
    assert schemes["hmac"]["options"] == ["secret", "header", "hash", "encoding", "prefix"]
    assert "HMAC-SHA256" in schemes["github"]["checks"]


def test_broken_ones_are_shown_with_their_error(run: Run, broken: str) -> None:
    result = run(broken, "list", "--output", "json")
    (item,) = (each for each in json.loads(result.stdout)["data"] if each["name"] == "torn")
    assert (result.exit_code, item["state"]) == (0, "broken")
    assert "No module named 'no'" in item["error"]
    assert "No module named 'no'" in run(broken, "list").stdout


@pytest.mark.parametrize(
    ("noun", "name", "said"),
    [
        ("format", "nexus", {"schemes": ["nexus"], "options": ["registry", "repositories"]}),
        ("scheme", "github", {"options": ["secret"], "secrets": ["secret"]}),
    ],
)
def test_one_is_shown_with_where_it_comes_from_and_what_it_is(
    run_json: RunJson, noun: str, name: str, said: dict[str, list[str]]
) -> None:
    shown = run_json(noun, "show", name)
    assert (shown["distribution"], shown["state"]) == ("webhook-service", "ready")
    assert (shown["contract"], shown["missing"]) == (CONTRACT, [])
    assert {field: shown[field] for field in said} == said


def test_a_broken_one_is_shown_with_its_error_and_fails(run: Run, broken: str) -> None:
    result = run(broken, "show", "torn", "--output", "json")
    assert (result.exit_code, json.loads(result.stdout)["state"]) == (1, "broken")
    assert f"no {broken} 'nope'" in run(broken, "show", "nope").stderr


def test_a_body_is_detected_with_what_would_be_read(run_json: RunJson, push: str) -> None:
    found = run_json("format", "detect", "-f", push)
    assert found == {
        "formats": ["dockerhub"],
        "images": ["docker.io/acme/shop:1.2.3"],
        "ignored": [],
    }


def test_headers_count_for_the_detection(run_json: RunJson, tmp_path: Path) -> None:
    body, headers = sample_push("gitea", "git.example/acme/shop:1.2.3")
    (tmp_path / "body").write_bytes(body)
    lines = [text for pair in headers.items() for text in ("--header", ": ".join(pair))]
    found = run_json("format", "detect", "-f", str(tmp_path / "body"), *lines)
    assert (found["formats"], found["images"]) == (["gitea"], ["git.example/acme/shop:1.2.3"])


def test_what_is_dropped_is_shown_with_its_reason(run: Run) -> None:
    body = {"docker_url": "quay.io/acme/shop", "build_id": "1"}
    result = run("format", "detect", "-f", "-", stdin=json.dumps(body))
    assert (result.exit_code, "not_a_push: quay.io/acme/shop" in result.stdout) == (0, True)


def test_a_body_of_nobody_fails(run: Run) -> None:
    result = run("format", "detect", "-f", "-", "-o", "json", stdin='{"any": "body"}')
    assert (result.exit_code, json.loads(result.stdout)) == (1, {"formats": []})


def test_a_body_of_two_fails_and_says_what_each_would_read(run: Run) -> None:
    body = {**json.loads(dockerhub_push("acme/shop", "1")), "docker_url": "quay.io/acme/shop"}
    result = run("format", "detect", "-f", "-", "-o", "json", stdin=json.dumps(body))
    found = json.loads(result.stdout)
    assert (result.exit_code, found["formats"]) == (1, ["dockerhub", "quay"])
    assert found["dockerhub"]["images"] == ["docker.io/acme/shop:1"]
    assert found["quay"]["ignored"] == ["not_a_push: quay.io/acme/shop"]


def test_a_claimed_body_that_cannot_be_read_shows_why(run: Run) -> None:
    body = {"push_data": {}, "repository": {"name": "shop"}}
    result = run("format", "detect", "-f", "-", stdin=json.dumps(body))
    assert (result.exit_code, "contains no tag" in result.stdout) == (1, True)


def test_what_is_no_json_fails_in_one_line(run: Run) -> None:
    result = run("format", "detect", "-f", "-", stdin="{not json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")


def test_a_receiver_says_what_its_format_still_needs(run: Run) -> None:
    words = ("receiver", "create", "--name", "shop", "--driver", "stub", "--format", "generic")
    result = run(*words, "--verify", "none")
    assert (result.exit_code, "`image`, or `repository` and `tag`" in result.stderr) == (1, True)


def test_a_receiver_says_what_its_scheme_still_needs(run: Run) -> None:
    words = ("receiver", "create", "--name", "shop", "--driver", "stub", "--format", "github")
    result = run(*words, "--verify", "github")
    assert (result.exit_code, "verify.secret" in result.stderr) == (1, True)


def test_at_a_terminal_the_secret_is_asked_for_and_not_shown(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompts, "is_terminal", lambda: True)
    monkeypatch.setenv("WEBHOOK_SERVICE_SECRET_KEY", "a secret key of the tests")
    words = ("receiver", "create", "--name", "shop", "--driver", "stub", "--verify", "github")
    result = run(*words, stdin="hunter2 hunter2\n")
    assert (result.exit_code, "github secret" in result.stderr) == (0, True)
    assert "hunter2" not in result.stdout + result.stderr


def test_at_a_terminal_a_list_is_asked_for_with_commas(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompts, "is_terminal", lambda: True)
    words = ("receiver", "create", "--name", "shop", "--driver", "stub", "--verify", "address")
    result = run(*words, stdin="192.0.2.7, 198.51.100.0/24\n")
    assert (result.exit_code, "198.51.100.0/24" in result.stdout) == (0, True)


def test_what_was_given_is_not_asked_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "is_terminal", lambda: True)
    words = ("receiver", "create", "--name", "shop", "--driver", "stub", "--verify", "none")
    result = run(*words, stdin="")
    assert (result.exit_code, result.stderr) == (0, "")
