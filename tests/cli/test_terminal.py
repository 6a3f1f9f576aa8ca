"""Commands at a real terminal, and in a pipe."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import PROJECT, Run, RunJson
from tests.cli.terminal import COMMAND, Terminal
from tests.host.served import serving
from tests.support import push
from webhook_service.cli.commands.plugins.driver import COLUMNS
from webhook_service.cli.connection.contexts import contexts_file
from webhook_service.cli.tables import SHORTEST_ID, lines
from webhook_service.model.execution import ExecutionState, Verdict
from webhook_service.model.people.tokens import Role
from webhook_service.service import WebhookService

pytestmark = pytest.mark.timeout(600)
LONG = "a-receiver-with-a-name-that-is-as-long-as-people-make-them-in-large-companies"
REPOSITORY = "acme/a-team-of-many-people/with-a-repository/that-has-a-long-name"
TAG = "1.2.3-rc.1"
# Several commands in one process: most of a command's time is that of its imports.
SCRIPT = """
import shlex, sys
from webhook_service.cli.app import app
for line in sys.argv[1:]:
    app(shlex.split(line), standalone_mode=False)
"""
TABLES = (
    "receiver list",
    "receiver history",
    "delivery list",
    "execution list",
    "inbox list",
    "audit list",
    "token list",
    "project list",
    "driver list",
    "format list",
    "scheme list",
    "context list",
)


@pytest.fixture
def receiver(run_json: RunJson) -> Any:
    """One with a long name, that has deployed a long image."""
    options = ("--driver", "stub", "--verify", "none", "--repository", f"docker.io/{REPOSITORY}")
    made = run_json("receiver", "create", "--name", LONG, *options)
    run_json("inbox", "create", "--name", LONG, "--format", "auto", "--verify", "none")
    run_json("token", "create", "--role", "member", "--name", LONG)
    deploy(made["id"], Verdict(ExecutionState.FAILED, "no " * 100, "image_missing"))
    return made


@pytest.fixture
def open_service() -> Iterator[WebhookService]:
    with WebhookService.open(run=False) as service:
        yield service


def deploy(receiver: str, verdict: Verdict, tag: str = TAG) -> str:
    """The execution of a push, with what came of it."""
    with WebhookService.open(run=False) as service:
        key = service.receiver_key(PROJECT, receiver)
        (execution,) = push(service, key, tag, repository=REPOSITORY, pushed_at=None).executions
        for claim in service.store.claims.claim(1):
            service.store.claims.record(claim, verdict)
    return execution


@pytest.mark.parametrize("columns", [80, 120])
def test_every_table_fits(columns: int, receiver: Any) -> None:
    commands = [f"{each} {LONG if 'history' in each else ''}" for each in TABLES]
    with Terminal(sys.executable, "-c", SCRIPT, *commands, columns=columns) as terminal:
        assert terminal.ended() == 0, terminal.text
    lines = terminal.text.splitlines()
    assert [line for line in lines if len(line) > columns] == []
    headings = [line for line in lines if line == line.upper() and "  " in line]
    assert len(headings) == len(TABLES)
    (execution,) = [line for line in lines if line.startswith("exe_")]
    id_, state, name, image, age = execution.split()
    assert (len(id_), state) == (SHORTEST_ID, "failed")
    assert LONG.startswith(name.removesuffix("…")) and len(name) > 12
    assert image.endswith(f":{TAG}") and age[-1] in "smh"


def test_what_is_wrong_with_a_driver_is_never_cut_and_cuts_nothing_else() -> None:
    said = "it needs no-such-distribution: pip install 'webhook-nomad[nomad]'."
    rows = [
        ["NAME", "STATE", "VERSION", "DISTRIBUTION", "ERROR"],
        ["nomad", "incomplete", "1.0", "webhook-nomad", said],
    ]
    shown = lines(rows, COLUMNS, 60)
    assert shown[1].split(maxsplit=4) == rows[1]


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_what_people_copy_stands_alone_on_one_line(
    columns: int, receiver: Any, open_service: WebhookService
) -> None:
    commands = (f"receiver show {LONG}", f"inbox show {LONG}", "token create --role readonly")
    with Terminal(sys.executable, "-c", SCRIPT, *commands, columns=columns) as terminal:
        assert terminal.ended() == 0, terminal.text
    lines = terminal.text.splitlines()
    key = open_service.receiver_key(PROJECT, receiver["id"])
    assert any(line.startswith("http://") and f"key={key}" in line for line in lines)
    copied = [line for line in lines if "key=whk_" in line or "wht_" in line]
    assert len(copied) == 3 and all(" " not in line for line in copied)
    (token,) = [line for line in lines if line.startswith("wht_")]
    found = open_service.find_token(token)
    assert found is not None and found.project == PROJECT


@pytest.mark.parametrize(
    ("env", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
    ids=["terminal", "NO_COLOR", "dumb"],
)
def test_headings_are_bold_unless_nobody_wants_that(
    env: dict[str, str], coloured: bool, receiver: Any
) -> None:
    with Terminal(COMMAND, "receiver", "list", **env) as terminal:
        assert terminal.ended() == 0
    assert ("\x1b" in terminal.shown) == coloured
    assert "NAME" in terminal.text


def test_a_pipe_gets_whole_and_plain_lines(receiver: Any) -> None:
    shell = f"COLUMNS=40 FORCE_COLOR=1 {COMMAND} receiver list -o wide | cat"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True)
    heading, row = done.stdout.splitlines()
    assert "\x1b" not in done.stdout + done.stderr and LONG in row and receiver["url"] in row
    assert [line for line in (heading, row) if line != line.rstrip()] == []


def test_a_watch_shows_what_changes_until_ctrl_c(receiver: Any) -> None:
    with Terminal(COMMAND, "execution", "list", "--watch") as terminal:
        terminal.wait_for("failed")
        second = deploy(receiver["id"], Verdict(ExecutionState.UNCHANGED, "done"), "1.2.4")
        terminal.wait_for("unchanged")
        terminal.interrupt()
        assert terminal.ended() == 130
    rows = [line for line in terminal.text.splitlines() if line.startswith("exe_")]
    assert len([row for row in rows if " failed " in row]) == 1
    assert second.startswith(rows[-1].split()[0])
    assert "Traceback" not in terminal.text and terminal.text.count("STATE") == 1


def test_a_watch_of_json_prints_a_line_for_each_change(receiver: Any) -> None:
    with Terminal(COMMAND, "receiver", "list", "-w", "-o", "json") as terminal:
        terminal.wait_for('"active"')
        with WebhookService.open(run=False) as service:
            service.update_receiver(PROJECT, receiver["id"], {"state": "suspended"})
        terminal.wait_for('"suspended"')
        terminal.interrupt()
        assert terminal.ended() == 130


def test_a_token_is_asked_for_and_not_shown(run: Run) -> None:
    with serving(WebhookService.open()) as served:
        _, token = served.service.create_token(PROJECT, Role.OWNER)
        words = ("context", "add", "work", "--server", served.base)
        with Terminal(COMMAND, *words) as terminal:
            terminal.wait_for("API token: ")  # echo is off from the space on
            terminal.type(f"{token}\n")
            assert terminal.ended() == 0, terminal.text
        listed = run("receiver", "list")
    assert token not in terminal.text and f"Commands work on {served.base}" in terminal.text
    assert (listed.exit_code, contexts_file().stat().st_mode & 0o777) == (0, 0o600)
    assert token in contexts_file().read_text()


def test_a_rollout_is_a_bar_at_a_terminal_and_lines_in_a_pipe(receiver: Any) -> None:
    verdict = Verdict(ExecutionState.WAITING, "2 of 3 new pods are available", pause=600)
    execution = deploy(receiver["id"], verdict, "1.2.4")
    words = ("execution", "wait", execution[:30], "--timeout", "3")
    with Terminal(COMMAND, *words) as terminal:
        assert terminal.ended() == 3
    assert "━" in terminal.text and "2 of 3 new pods are available" in terminal.text
    piped = subprocess.run([COMMAND, *words], capture_output=True, text=True, check=False)
    assert (piped.returncode, piped.stdout) == (3, "")
    first, last = piped.stderr.splitlines()
    assert first == f"{execution[:SHORTEST_ID]} waiting: 2 of 3 new pods are available"
    assert last.startswith("error: ") and last.endswith("it goes on.")


def test_ctrl_c_says_that_what_was_waited_for_goes_on(receiver: Any) -> None:
    verdict = Verdict(ExecutionState.WAITING, "2 of 3 new pods are available", pause=600)
    execution = deploy(receiver["id"], verdict, "1.2.5")
    with Terminal(COMMAND, "execution", "wait", execution, TERM="dumb") as terminal:
        terminal.wait_for("2 of 3 new pods")
        terminal.interrupt()
        assert terminal.ended() == 130
    assert f"{execution} goes on; 'execution abort' would stop it." in terminal.text


def test_ctrl_c_does_not_take_back_what_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with Terminal(COMMAND, "send", "--image", "acme/shop:1", url, "--wait", "60") as terminal:
            silent.settimeout(60)
            taken, _ = silent.accept()
            with taken:
                assert taken.recv(1)
                terminal.interrupt()
                assert terminal.ended() == 130
    assert "What was sent is not taken back" in terminal.text


def test_bash_completes_names(receiver: Any, tmp_path: Path) -> None:
    bin_ = Path(COMMAND).parent
    with Terminal("bash", "--norc", "--noprofile", "-i", columns=200, PS1="ready> ") as terminal:
        terminal.type(f"PATH={bin_}:$PATH; . <(webhook-service --show-completion bash)\n")
        terminal.type("webhook-service receiver show a-rec\t")
        terminal.wait_for(f"show {LONG}")
        terminal.type("\x15webhook-service receiver create --driver deploymentU\t")
        terminal.wait_for("--driver deploymentUpdate")
        terminal.type("\x15webhook-service receiver create --format dockerh\t")
        terminal.wait_for("--format dockerhub")
        terminal.type("\x15webhook-service receiver create --verify standardW\t")
        terminal.wait_for("--verify standardWebhooks")
        terminal.type("\x15webhook-service inbox show a-rec\t")
        terminal.wait_for(f"inbox show {LONG}")
        terminal.type("\x15exit\n")
        assert terminal.ended() == 0
