"""The command itself: exit codes, what goes to which stream, and how fast help is."""

import json
import re
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from webhook_service.cli.app import app
from webhook_service.cli.commands import token
from webhook_service.cli.examples import commands_of
from webhook_service.service import WebhookService

COMMAND = Path(sys.executable).with_name("webhook-service")
HEAVY = frozenset(
    {
        *("sqlalchemy", "starlette", "uvicorn", "kubernetes", "pydantic", "httpx", "rich"),
        *("alembic", "celery", "yaml", "jinja2", "cryptography", "prometheus_client", "stevedore"),
        *("asyncio", "ssl", "email", "importlib.metadata"),
    }
)
# Typer reads options with it, and not the root's own help.
TYPERS = {"pydantic", "importlib.metadata", "email"}


def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("words", "heavy"),
    [
        ((), HEAVY),
        (("receiver", "create"), HEAVY - TYPERS),
        (("execution", "wait"), HEAVY - TYPERS),
        (("driver", "new"), HEAVY - TYPERS),
    ],
    ids=["root", "receiver create", "execution wait", "driver new"],
)
def test_help_loads_nothing_heavy(words: tuple[str, ...], heavy: frozenset[str]) -> None:
    code = (
        "import sys\n"
        "from webhook_service.cli import main\n"
        f"sys.argv = ['webhook-service', *{words!r}, '--help']\n"
        "try: main()\n"
        f"finally: print(sorted({set(heavy)!r} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip()) == (0, "[]")
    assert "Usage: webhook-service" in done.stdout


def test_no_sentence_in_a_list_of_commands_is_cut(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    groups = {path.rpartition(" ")[0] for path, _ in commands_of(app)}
    lists = [run(*group.split(), "--help").stdout.partition("Commands:")[2] for group in groups]
    assert len(lists) > 10 and all(lists)
    assert [line for said in lists for line in said.splitlines() if line.endswith("...")] == []


@pytest.mark.parametrize("path", [path for path, _ in commands_of(app)])
def test_help_ends_with_examples(path: str, run: Run) -> None:
    result = run(*path.split(), "--help")
    examples = result.stdout.partition("Examples:\n")[2].splitlines()
    assert result.exit_code == 0 and examples
    assert not re.search(r"--[\w-]+ <(str|int|float|path|list)", result.stdout)
    assert all("webhook-service " in line and path in line for line in examples if line)


def test_the_entry_point_prints_the_version() -> None:
    done = run_command("--version")
    assert done.stdout == f"webhook-service {version('webhook-service')}\n"
    assert done.returncode == 0


def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-I", "-m", "webhook_service", "driver", "schema", "nope"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == run_command("driver", "schema", "nope").stderr


def test_wrong_use_is_2() -> None:
    done = run_command("receiver", "list", "--no-such-option")
    assert (done.returncode, done.stdout) == (2, "")


def test_a_bad_setting_is_one_line_and_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_SERVICE_LISTEN", "secret-nonsense")
    done = run_command("receiver", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: Settings cannot be used: listen:")
    assert done.stderr.count("\n") == 1
    assert "secret-nonsense" not in done.stderr


@pytest.mark.parametrize(
    ("where", "code", "said"),
    [
        ("| head -c 0", 141, ""),
        (">/dev/full", 1, "error: the output cannot be written: No space left on device."),
        (">&-", 0, ""),
        (">&- 2>&-", 0, ""),
        ("<&-", 0, ""),
    ],
)
def test_an_output_that_nobody_takes_is_a_code_and_one_line_at_most(
    where: str, code: int, said: str
) -> None:
    shell = f"set -o pipefail; {COMMAND} driver schema deploymentUpdate {where}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr.strip()) == (code, said)


@pytest.mark.parametrize("words", [("receiver", "show", "\udcff"), ("receiver", "list")])
def test_what_is_not_utf_8_is_wrong_use(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_SERVICE_PROJECT", "\udcff")
    done = run_command(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "bytes that are not UTF-8 text" in done.stderr


def test_a_file_that_cannot_be_used_is_named_with_the_reason(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def explode(*_: object, **__: object) -> str:
        return (tmp_path / "none").read_text()

    monkeypatch.setattr(WebhookService, "create_token", explode)
    result = run("token", "create", "--role", "owner")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"error: {tmp_path}/none: No such file or directory.\n"


def test_an_unexpected_error_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object, **__: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(WebhookService, "create_token", explode)
    result = run("token", "create", "--role", "owner")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        "error: RuntimeError: two lines (unexpected; WEBHOOK_SERVICE_DEBUG=1 shows where)"
    ]
    monkeypatch.setenv("WEBHOOK_SERVICE_DEBUG", "1")
    assert isinstance(run("token", "create", "--role", "owner").exception, RuntimeError)


def test_ctrl_c_is_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(token, "connect", interrupt)
    assert run("token", "list").exit_code == 130


def test_output_can_be_given_before_the_command(run: Run) -> None:
    assert json.loads(run("--output", "json", "token", "list").stdout)["data"] == []
    table = run("--output", "json", "token", "list", "--output", "table").stdout
    assert table.split() == [column.heading for column in token.COLUMNS if not column.wide]


def test_a_project_is_needed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEBHOOK_SERVICE_PROJECT")
    result = run("receiver", "list")
    assert (result.exit_code, "--project" in result.stderr) == (2, True)


def test_serve_refuses_a_taken_address_in_one_line(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("serve", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "words", [("-o", "xml", "format", "list"), ("format", "list", "-o", "xml")]
)
def test_a_value_that_is_no_choice_is_told_in_one_plain_sentence(
    run: Run, words: tuple[str, ...]
) -> None:
    result = run(*words)
    told = result.stderr
    assert (
        result.exit_code == 2
        and "'xml' is not one of 'table'" in told
        and "Value error" not in told
    )
