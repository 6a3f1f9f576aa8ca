"""Commands do the same on a local database, and over TLS on a server that has one."""

import ast
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.cli.conftest import PROJECT, Run
from tests.cli.terminal import COMMAND
from tests.host.served import serving
from tests.servers.certificates import self_signed, server_side
from tests.servers.proxy import Proxy
from tests.support import add_receiver, push, wait_for
from webhook_service.cli.app import app
from webhook_service.cli.connection.contexts import contexts_file
from webhook_service.cli.examples import commands_of
from webhook_service.model.people.tokens import Role
from webhook_service.service import WebhookService
from webhook_service.testing.samples import dockerhub_push

STUB = ("--driver", "stub", "--verify", "none")
# What needs the database itself, and refuses a server.
OF_THE_HOST = (
    ("secret-key", "rotate"),
    ("console", "link", "-p", "x"),
    ("receiver", "import", "FOLDER/none.json", "-p", "x"),
    ("prune",),
    ("migrate",),
    ("migrate", "--check"),
    ("backup", "FOLDER/copy.db"),
    ("restore", "FOLDER/none.json"),
)
GROUPS = {"secret-key", "console", "receiver"}
# What is about this machine alone: its processes, its files, what it remembers.
HERE = {
    *("serve", "worker", "demo"),
    *("operator run", "operator definition"),
    *("driver new", "format new", "scheme new", "format detect"),
}


@dataclass(frozen=True)
class Place:
    """Where commands work: the words before them, and the service itself."""

    words: tuple[str, ...]
    service: WebhookService
    run: Run

    def text(self, *words: str) -> str:
        result = self.run(*self.words, *words)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.text(*words, "-o", "json"))

    def fails(self, *words: str) -> str:
        result = self.run(*self.words, *words)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.count("\n") == 1
        return result.stderr

    def deploy(self, name: str, tag: str = "1.2.3") -> str:
        """The execution of a push; an engine runs it."""
        (found,) = self.json("receiver", "list", "--name", name)["data"]
        key = self.service.receiver_key(PROJECT, found["id"])
        (execution,) = push(self.service, key, tag, pushed_at=None).executions
        return execution


@dataclass(frozen=True)
class Elsewhere:
    """A service behind TLS, with a token for it."""

    url: str
    token: str
    ca_file: Path
    service: WebhookService

    @property
    def words(self) -> tuple[str, ...]:
        return ("--server", self.url, "--token", self.token, "--ca-file", str(self.ca_file))


@pytest.fixture
def elsewhere(
    tmp_path: Path, settings: None, stub_driver: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Elsewhere]:
    key, certificate = self_signed(tmp_path, "127.0.0.1")
    with (
        serving(WebhookService.open()) as served,
        Proxy(served.port, server_side(key, certificate)) as front,
    ):
        _, token = served.service.create_token(PROJECT, Role.OWNER)
        # Whoever works on a server needs no database, and must not get one.
        monkeypatch.setenv("WEBHOOK_SERVICE_DATABASE_URL", "sqlite:////dev/null/cli.db")
        monkeypatch.delenv("WEBHOOK_SERVICE_PROJECT")
        yield Elsewhere(f"https://127.0.0.1:{front.port}", token, certificate, served.service)


@pytest.fixture(params=["local", "server"])
def place(request: pytest.FixtureRequest, run: Run) -> Iterator[Place]:
    if request.param == "server":
        elsewhere: Elsewhere = request.getfixturevalue("elsewhere")
        yield Place(elsewhere.words, elsewhere.service, run)
        return
    with WebhookService.open() as service:
        yield Place((), service, run)


def test_a_receiver_goes_by_its_name_from_its_making_to_its_end(
    place: Place, tmp_path: Path
) -> None:
    made = place.json("receiver", "create", "--name", "shop", *STUB)
    assert place.json("receiver", "show", "shop")["url"] == made["url"]
    assert place.json("receiver", "show", made["id"][:12])["id"] == made["id"]
    assert place.json("receiver", "suspend", "shop")["state"] == "suspended"
    assert place.json("receiver", "resume", "shop")["state"] == "active"
    assert place.json("receiver", "rotate", "shop")["url"] != made["url"]
    (tmp_path / "push.json").write_bytes(dockerhub_push("acme/shop", "1"))
    would = place.json("receiver", "simulate", "shop", "-f", str(tmp_path / "push.json"))
    assert [work["subject"] for work in would["planned"]] == ["docker.io/acme/shop:1"]
    update = ("receiver", "update", "shop", "--tag", "2", "--name", "web")
    assert place.json(*update)["match"]["tags"]["value"] == "2"
    assert "web is deleted" in place.text("receiver", "delete", "web")
    assert place.json("receiver", "list")["data"] == []


def test_receivers_are_applied_from_files_and_exported(place: Place, tmp_path: Path) -> None:
    place.json("receiver", "create", "--name", "shop", *STUB, "--repository", "acme/shop")
    (tmp_path / "all.yaml").write_text(place.text("receiver", "export"))
    apply = ("receiver", "apply", "-f", str(tmp_path / "all.yaml"))
    assert place.text(*apply).startswith("unchanged  shop")
    renamed = (tmp_path / "all.yaml").read_text().replace("name: shop", "name: web")
    (tmp_path / "all.yaml").write_text(renamed)
    assert place.text(*apply, "--dry-run").startswith("created    web")
    assert place.text(*apply, "-o", "name") == "web\n"
    assert place.json(*apply)["data"][0]["result"] == "unchanged"
    assert place.json("receiver", "show", "web")["match"]["repositories"] == ["acme/shop"]


def test_an_inbox_goes_by_its_name_from_its_making_to_its_end(place: Place, tmp_path: Path) -> None:
    make = ("inbox", "create", "--name", "hub", "--format", "dockerhub", "--verify", "none")
    made = place.json(*make)
    assert place.json("inbox", "show", made["id"][:12])["url"] == made["url"]
    listen = ("--driver", "stub", "--inbox", "hub", "--repository", "acme/shop")
    receiver = place.json("receiver", "create", "--name", "shop", *listen)
    assert receiver["listen"] == {"inboxes": ["hub"], "ownUrl": False}
    heading, row = place.text("inbox", "list").splitlines()
    assert row.split()[:4] == ["hub", "dockerhub", "none", "shop"]
    (tmp_path / "push.json").write_bytes(dockerhub_push("acme/shop", "1"))
    would = place.json("inbox", "simulate", "hub", "-f", str(tmp_path / "push.json"))
    assert [work["receiver"] for work in would["planned"]] == [receiver["id"]]
    key = parse_qs(urlsplit(made["url"]).query)["key"][0]
    push(place.service, key, "1", pushed_at=None)
    heading, row = place.text("delivery", "list", "--inbox", "hub").splitlines()
    assert "hub" in row.split()
    assert "no inbox 'none'" in place.fails("delivery", "list", "--inbox", "none")
    assert place.json("inbox", "rotate", "hub")["url"] != made["url"]
    assert place.json("inbox", "update", "hub", "--format", "auto")["source"]["format"] == "auto"
    assert "listen" in place.fails("inbox", "delete", "hub")
    place.text("receiver", "delete", "shop")
    assert "hub is deleted" in place.text("inbox", "delete", "hub")
    assert place.json("inbox", "list")["data"] == []


def test_a_notification_goes_by_its_name_from_its_making_to_its_end(place: Place) -> None:
    config = '{"url": "https://127.0.0.1:1/T0KEN"}'
    make = ("--name", "ops", "--kind", "webhook", "--on", "failed", "--config", config)
    made = place.json("notification", "create", *make)
    assert place.json("notification", "show", "ops")["id"] == made["id"]
    notice = place.json("notification", "test", "ops")
    assert (notice["happened"], notice["notification"]) == ("test", made["id"])

    def failed() -> bool:
        (found,) = place.json("notification", "notices", "ops")["data"]
        return str(found["state"]) == "failed"

    # A private address is never called.
    wait_for(failed)
    again = place.json("notification", "replay", "ops", notice["id"])
    assert again["replayOf"] == notice["id"]
    heading, row = place.text("notification", "list").splitlines()
    assert row.split()[:3] == ["ops", "webhook", "failed"] and "T0KEN" not in row
    changed = place.json("notification", "update", "ops", "--on", "held")
    assert changed["on"] == ["held"]
    assert "is deleted" in place.text("notification", "delete", "ops")
    assert "Notification not found" in place.fails("notification", "show", "ops")


def test_a_push_is_found_waited_for_and_undone(place: Place) -> None:
    place.json("receiver", "create", "--name", "shop", *STUB)
    execution = place.deploy("shop")
    assert place.json("execution", "wait", execution)["state"] == "succeeded"
    steps = place.text("execution", "logs", "-f", execution[:20]).splitlines()
    assert "queued: docker.io/acme/shop:1.2.3 for stub" in steps[0]
    assert any("attempt 1 ended, succeeded" in line for line in steps)
    heading, row = place.text("execution", "list", "--receiver", "shop").splitlines()
    assert row.split()[1:4] == ["succeeded", "shop", "acme/shop:1.2.3"]
    assert place.json("execution", "show", row.split()[0])["id"] == execution
    heading, row = place.text("receiver", "list").splitlines()
    assert row.split()[:5] == ["shop", "stub", "active", "succeeded", "acme/shop:1.2.3"]
    heading, row = place.text("delivery", "list", "--receiver", "shop").splitlines()
    assert "shop" in row and place.json("delivery", "show", row.split()[0])["state"] == "accepted"
    assert place.text("execution", "list", "-o", "name") == f"{execution}\n"
    again = place.json("execution", "replay", execution)
    assert again["replayOf"] == execution
    assert place.json("execution", "wait", again["id"])["reason"] is None
    assert [item["live"] for item in place.json("receiver", "history", "shop")["data"]][0]
    assert "receiver.created" in place.text("audit", "list", "--receiver", "shop")


def test_what_waits_for_approval_is_approved_or_refused(place: Place, tmp_path: Path) -> None:
    (tmp_path / "body.json").write_text('{"approval": {"count": 1}}')
    place.json("receiver", "create", "--name", "shop", *STUB, "-f", str(tmp_path / "body.json"))
    first = place.deploy("shop")
    waited = place.run(*place.words, "execution", "wait", first, "--timeout", "0.1")
    assert (waited.exit_code, waited.stdout) == (3, "") and "it goes on" in waited.stderr
    assert "acme/shop:1.2.3" in place.text("execution", "held")
    assert place.json("execution", "refuse", first)["state"] == "cancelled"
    assert place.run(*place.words, "execution", "wait", first).exit_code == 1
    second = place.deploy("shop", "1.2.4")
    place.json("execution", "approve", second)
    assert place.json("execution", "wait", second)["state"] == "succeeded"
    third = place.deploy("shop", "1.2.5")
    assert place.json("execution", "cancel", third)["state"] == "cancelled"


def test_labels_are_set_and_removed_as_kubectl_does_it(place: Place, tmp_path: Path) -> None:
    (tmp_path / "body.json").write_text('{"labels": {"tier": "web", "old": "1"}}')
    new = ("--label", "team=shop", "--label", "canary=", "--label", "old-")
    create = ("receiver", "create", "--name", "shop", *STUB, "-f", str(tmp_path / "body.json"))
    made = place.json(*create, *new)
    assert made["labels"] == {"tier": "web", "team": "shop", "canary": ""}
    update = ("receiver", "update", "shop")
    changed = place.json(*update, "-l", "team=pay", "-l", "tier-", "-l", "never-")
    assert changed["labels"] == {"team": "pay", "canary": ""}
    assert place.json(*update, "--tag", "2")["labels"] == changed["labels"]
    assert place.json(*update, "-l", "team-", "-l", "canary-")["labels"] == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("team",), "'team' is neither KEY=VALUE nor KEY-."),
        (("=shop",), "'=shop' is neither KEY=VALUE nor KEY-."),
        (("-",), "'-' is neither KEY=VALUE nor KEY-."),
        (("team=shop", "team-"), "both sets and removes 'team'"),
        (("team-", "team=shop"), "both sets and removes 'team'"),
        (("a b=c",), "labels"),
    ],
)
def test_what_is_no_label_is_refused(place: Place, words: tuple[str, ...], said: str) -> None:
    place.json("receiver", "create", "--name", "shop", *STUB)
    options = [part for word in words for part in ("--label", word)]
    refused = place.run(*place.words, "receiver", "update", "shop", *options)
    assert refused.exit_code != 0 and said in " ".join(refused.stderr.split())
    assert place.json("receiver", "show", "shop")["labels"] == {}


def test_a_minimum_age_is_an_option_that_has_the_registry_asked(place: Place) -> None:
    age = ("--minimum-age", "72h", "--repository", "docker.io/acme/shop")
    made = place.json("receiver", "create", "--name", "shop", *STUB, *age)
    assert (made["match"]["minimumAge"], made["registry"]["resolve"]) == ("72h", True)
    changed = place.json("receiver", "update", "shop", "--minimum-age", "3d")
    assert (changed["match"]["minimumAge"], changed["registry"]["resolve"]) == ("3d", True)
    refused = place.run(*place.words, "receiver", "update", "shop", "--minimum-age", "soon")
    assert refused.exit_code == 1 and "such as 90s, 30m, 72h or 3d" in refused.stderr


def test_what_a_rule_holds_is_let_through(place: Place, tmp_path: Path) -> None:
    freeze = '{"match": {"freeze": [{"cron": "* * * * *", "minutes": 60}]}}'
    (tmp_path / "body.json").write_text(freeze)
    place.json("receiver", "create", "--name", "shop", *STUB, "-f", str(tmp_path / "body.json"))
    execution = place.deploy("shop")
    assert place.json("execution", "show", execution)["reason"] == "frozen"
    assert place.json("execution", "release", execution)["letThrough"]
    assert place.json("execution", "wait", execution)["state"] == "succeeded"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("execution", "list", "--receiver", "none"), "no receiver 'none'"),
        (("delivery", "list", "--receiver", "none"), "no receiver 'none'"),
        (("audit", "list", "--receiver", "none"), "no receiver 'none'"),
        (("execution", "list", "--state", "bogus"), "state must be one of queued"),
        (("delivery", "list", "--state", "bogus"), "state must be one of accepted"),
        (("receiver", "list", "--state", "bogus"), "state must be one of active"),
        (("receiver", "show", "none"), "no receiver 'none'"),
        (("receiver", "delete", "rcv_00"), "no receiver 'rcv_00'"),
        (("rollback", "none"), "no receiver 'none'"),
        (("execution", "show", "exe_0"), "no execution 'exe_0'"),
        (("execution", "show", "exe_"), "no execution 'exe_'"),
        (("delivery", "show", "dlv_0"), "no delivery 'dlv_0'"),
        (("token", "revoke", "tok_0"), "no token 'tok_0'"),
    ],
)
def test_what_does_not_exist_is_an_error(place: Place, words: tuple[str, ...], said: str) -> None:
    assert said in place.fails(*words)


def test_the_beginning_of_several_ids_is_refused(place: Place) -> None:
    one, _ = (place.json("receiver", "create", "--name", name, *STUB) for name in ("one", "two"))
    shared = one["id"][:12]
    assert f"Several ids begin with {shared}" in place.fails("receiver", "show", shared)


def test_tokens_projects_and_plug_ins_are_seen(place: Place) -> None:
    made = place.json("token", "create", "--role", "readonly", "--name", "ci")
    assert made["id"] in [item["id"] for item in place.json("token", "list")["data"]]
    assert "revoked" in place.text("token", "revoke", made["id"][:24])
    place.json("receiver", "create", "--name", "shop", *STUB)
    assert PROJECT in place.text("project", "list")
    assert "deploymentUpdate" in place.text("driver", "list")
    assert "dockerhub" in place.text("format", "list")
    assert "standardWebhooks" in place.text("scheme", "list")
    assert "properties" in place.text("driver", "schema", "deploymentUpdate")
    assert place.json("driver", "show", "deploymentUpdate")["state"] == "ready"
    assert place.json("format", "show", "harbor")["sender"] == "Harbor"
    assert "HMAC-SHA256" in place.json("scheme", "show", "github")["checks"]
    for noun in ("driver", "format", "scheme"):
        assert f"no {noun} 'nope'" in place.fails(noun, "show", "nope")


def test_a_push_is_undone_or_stopped(place: Place) -> None:
    place.json("receiver", "create", "--name", "shop", *STUB)
    first, _ = (
        place.json("execution", "wait", place.deploy("shop", tag))["id"]
        for tag in ("1.2.3", "1.2.4")
    )
    back = place.json("rollback", "shop", "--to", first[:30])
    assert (back["event"]["tag"], back["state"]) == ("1.2.3", "queued")
    place.json("execution", "wait", back["id"])
    assert "has ended" in place.fails("execution", "abort", back["id"])


def test_a_project_is_held_and_released(place: Place) -> None:
    assert place.json("project", "hold", "--why", "a fault", "--name", "night")["why"] == "a fault"
    (held,) = place.json("project", "holds")["data"]
    assert held["name"] == "night"
    assert place.text("project", "release", "night") == "night is released.\n"
    assert place.json("project", "holds")["data"] == []


def test_a_sample_push_is_sent(elsewhere: Elsewhere, run: Run) -> None:
    made = run(*elsewhere.words, "receiver", "create", "--name", "shop", *STUB, "-o", "json")
    url = json.loads(made.stdout)["url"]
    here = f"{elsewhere.url}{urlsplit(url).path}?{urlsplit(url).query}"
    words = ("send", "--image", "acme/shop:1", "--wait", "60", "-o", "json", here)
    assert run(*words).exit_code == 1  # a certificate that nobody trusts
    sent = run("--ca-file", str(elsewhere.ca_file), *words)
    assert json.loads(sent.stdout)["body"]["outcome"] == "succeeded", sent.stdout


def test_a_sample_push_that_deploys_nothing_fails_unless_that_is_right(
    elsewhere: Elsewhere, run: Run
) -> None:
    words = ("receiver", "create", "--name", "shop", *STUB, "--tag", "2", "-o", "json")
    url = json.loads(run(*elsewhere.words, *words).stdout)["url"]
    here = f"{elsewhere.url}{urlsplit(url).path}?{urlsplit(url).query}"
    send = ("--ca-file", str(elsewhere.ca_file), "send", "--image", "acme/shop:1", here)
    ignored = run(*send, "--wait", "60")
    assert ignored.exit_code == 1
    assert "nothing was deployed: the receiver ignored the push (tag_mismatch)" in ignored.stderr
    assert run(*send, "--wait", "60", "--allow-ignored").exit_code == 0
    assert run(*send).exit_code == 0, "it was taken, and nobody waited"


def test_a_doctor_finds_all_well(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    found = place.run(*place.words, "doctor", "-o", "json")
    health = {each["what"]: each["health"] for each in json.loads(found.stdout)["data"]}
    expected = {"server", "token"} if place.words else {"settings", "database", "plug-ins"}
    assert {what: health.get(what) for what in expected} == dict.fromkeys(expected, "ok")


def is_test(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name.startswith("test_")


def test_each_command_is_tried_in_both_places_or_is_the_host_s_own() -> None:
    """A new command is tried here with ``place``, or stands in one of the lists."""
    tests = [node for node in ast.parse(Path(__file__).read_text()).body if is_test(node)]
    tried = set()
    for node in (each for test in tests for each in ast.walk(test)):
        parts = node.args if isinstance(node, ast.Call) else getattr(node, "elts", ())
        words = [each.value for each in parts if isinstance(each, ast.Constant)][:2]
        tried |= {words[0], " ".join(map(str, words))} if words else set()
    commands = {path for path, _ in commands_of(app)}
    own = {" ".join(words[: 2 if words[0] in GROUPS else 1]) for words in OF_THE_HOST}
    assert commands - tried - own == HERE
    assert own <= commands and not own & HERE


@pytest.mark.parametrize("words", OF_THE_HOST, ids=" ".join)
def test_what_only_a_host_can_do_says_so(
    words: tuple[str, ...], elsewhere: Elsewhere, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "none.json").write_text("[]")
    refused = run(*elsewhere.words, *(word.replace("FOLDER", str(tmp_path)) for word in words))
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "own host only" in refused.stderr


def test_a_service_is_remembered_in_a_file_for_its_owner_alone(
    elsewhere: Elsewhere, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = ("context", "add", "work", "--server", elsewhere.url, "--token", "-")
    wrong = run(*add, "--ca-file", str(elsewhere.ca_file), stdin="wht_wrong\n")
    assert (wrong.exit_code, contexts_file().exists()) == (1, False)
    added = run(*add, "--ca-file", str(elsewhere.ca_file), stdin=f"{elsewhere.token}\n")
    assert added.exit_code == 0 and PROJECT in added.stdout
    assert contexts_file().stat().st_mode & 0o777 == 0o600
    assert run("receiver", "list").exit_code == 0
    listed = run("context", "list").stdout
    assert "work" in listed and "local" in listed and elsewhere.token not in listed
    assert run("context", "use", "local").exit_code == 0
    assert run("receiver", "list", "-p", "x").exit_code == 1  # there is no such database
    assert run("--context", "work", "receiver", "list").exit_code == 0
    assert "no context 'nowhere'" in run("--context", "nowhere", "receiver", "list").stderr
    assert run("context", "remove", "work").exit_code == 0
    assert run("--context", "work", "receiver", "list").exit_code == 1


def test_the_environment_names_the_server_and_the_token(
    elsewhere: Elsewhere, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text(elsewhere.token + "\n")
    monkeypatch.setenv("WEBHOOK_SERVICE_SERVER", elsewhere.url)
    monkeypatch.setenv("WEBHOOK_SERVICE_TOKEN", f"@{tmp_path / 'token'}")
    monkeypatch.setenv("WEBHOOK_SERVICE_CA_FILE", str(elsewhere.ca_file))
    assert run("receiver", "list").exit_code == 0


def test_a_variable_that_counts_before_the_current_context_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("context", "list").stderr == run("context", "use", "local").stderr == ""
    monkeypatch.setenv("WEBHOOK_SERVICE_SERVER", "https://hooks.example")
    for words in (("context", "list"), ("context", "use", "local")):
        assert "names https://hooks.example. That counts before" in run(*words).stderr


def test_a_server_knows_people_by_their_token(elsewhere: Elsewhere, run: Run) -> None:
    assert run(*elsewhere.words, "execution", "abort", "exe_0", "--by", "me").exit_code == 2


def test_a_server_that_is_not_trusted_is_one_line_that_says_what_to_do(
    elsewhere: Elsewhere, run: Run
) -> None:
    refused = run("--server", elsewhere.url, "--token", elsewhere.token, "receiver", "list")
    assert refused.exit_code == 1
    assert refused.stderr.count("\n") == 1 and elsewhere.token not in refused.stderr
    assert "(ConnectError: self-signed certificate): its certificate is not" in refused.stderr
    assert "--ca-file" in refused.stderr


def test_shells_complete_names_of_the_service_that_is_named(
    elsewhere: Elsewhere, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_receiver(elsewhere.service, name="shop-there")
    monkeypatch.setenv("WEBHOOK_SERVICE_SERVER", elsewhere.url)
    monkeypatch.setenv("WEBHOOK_SERVICE_TOKEN", elsewhere.token)
    monkeypatch.setenv("WEBHOOK_SERVICE_CA_FILE", str(elsewhere.ca_file))
    assert complete("receiver", "show", "sho") == ["shop-there"]
    monkeypatch.delenv("WEBHOOK_SERVICE_SERVER")
    assert complete("--server", elsewhere.url, "receiver", "show", "sho") == ["shop-there"]


def test_a_tab_makes_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_SERVICE_DATABASE_URL", f"sqlite:///{tmp_path / 'new.db'}")
    assert complete("receiver", "show", "sho") == []
    assert not (tmp_path / "new.db").exists()


def complete(*words: str) -> list[str]:
    """What bash offers for the last of the words."""
    asked = {
        "_WEBHOOK_SERVICE_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(("webhook-service", *words)),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        [COMMAND], env={**os.environ, **asked}, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("server", "token", "said"),
    [
        ("http://127.0.0.1:1", "c4nary\nline", "--token: is no API token"),
        ("http://127.0.0.1:1", "c4naryé", "--token: is no API token"),
        ("http://[::1", "c4nary", "--server: is no http:// or https:// URL"),
        ("http://127.0.0.1:99999", "c4nary", "--server: is no http:// or https:// URL"),
    ],
)
def test_what_cannot_be_sent_is_named_and_not_shown(
    run: Run, server: str, token: str, said: str
) -> None:
    refused = run("--server", server, "--token", token, "receiver", "list")
    assert refused.exit_code == 2 and said in " ".join(refused.stderr.split())
    assert "c4nary" not in refused.stderr


@pytest.mark.parametrize(
    ("token", "said"), [("mistyped", "Bearer wht_…"), ("wht_mistyped", "revoked or expired")]
)
def test_a_token_that_is_not_known_is_told_whole(
    elsewhere: Elsewhere, run: Run, token: str, said: str
) -> None:
    refused = run(*replace(elsewhere, token=token).words, "receiver", "list")
    assert refused.exit_code == 1 and said in refused.stderr
    assert "the token of --token, WEBHOOK_SERVICE_TOKEN or the context" in refused.stderr


def test_what_a_role_may_not_is_no_question_of_which_token(elsewhere: Elsewhere, run: Run) -> None:
    _, token = elsewhere.service.create_token(PROJECT, Role.READONLY)
    words = (*replace(elsewhere, token=token).words, "token", "create", "--role", "owner")
    refused = run(*words)
    assert refused.exit_code == 1 and "--token" not in refused.stderr


def test_a_new_database_is_told_of_once(run: Run, tmp_path: Path) -> None:
    for path in tmp_path.glob("cli.*"):
        path.unlink()
    assert f"made a new one, {tmp_path / 'cli.db'}" in run("receiver", "list").stderr
    assert run("receiver", "list").stderr == ""
