"""The command line in this process, on a database of its own."""

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from webhook_service.cli.app import app
from webhook_service.cli.options import Output
from webhook_service.plugins.discovery import Plugins
from webhook_service.service import WebhookService
from webhook_service.settings import Settings
from webhook_service.testing.stub import StubDriver

PROJECT = "1a5"
UNSET = (
    *("CONFIG", "LISTEN", "BASE_URL", "DRIVERS", "DEBUG"),
    *("SERVER", "TOKEN", "CONTEXT", "CA_FILE"),
)
Run = Callable[..., Result]
RunJson = Callable[..., Any]


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database that has its schema and nothing else."""
    folder = tmp_path_factory.mktemp("empty")
    WebhookService.open(Settings(database_url=f"sqlite:///{folder / 'cli.db'}"), run=False).stop()
    return folder


@pytest.fixture(autouse=True)
def settings(empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database for each test, and no setting of whoever runs the tests."""
    for path in empty.iterdir():
        shutil.copy2(path, tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("WEBHOOK_SERVICE_DATABASE_URL", f"sqlite:///{tmp_path / 'cli.db'}")
    monkeypatch.setenv("WEBHOOK_SERVICE_PROJECT", PROJECT)
    for name in UNSET:
        monkeypatch.delenv(f"WEBHOOK_SERVICE_{name}", raising=False)


@pytest.fixture(autouse=True)
def logging_restored() -> Iterator[None]:
    """A command that serves sends the log to the standard error that it had."""
    root, own = logging.getLogger(), logging.getLogger("webhook_service")
    before = root.handlers, root.level, own.level
    yield
    root.handlers = before[0]
    root.setLevel(before[1])
    own.setLevel(before[2])


@pytest.fixture(autouse=True)
def stub_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver ``stub`` is installed too, as far as the command line can tell."""
    original = WebhookService.open.__func__  # type: ignore[attr-defined]

    def open_with_stub(
        cls: type[WebhookService], settings: Settings | None = None, *, run: bool = True
    ) -> WebhookService:
        service: WebhookService = original(cls, settings, run=run)
        plugins: Plugins[Any] = service.drivers.plugins
        plugins.add("stub", StubDriver)
        return service

    monkeypatch.setattr(WebhookService, "open", classmethod(open_with_stub))


@pytest.fixture
def run() -> Run:
    """Runs a command; its result has exit code, stdout and stderr."""
    runner = CliRunner()

    def call(*arguments: str, stdin: str | None = None) -> Result:
        return runner.invoke(app, arguments, input=stdin)

    return call


@pytest.fixture
def run_json(run: Run) -> RunJson:
    """Runs a command that must succeed, and reads the one JSON document that it prints."""

    def call(*arguments: str, stdin: str | None = None) -> Any:
        result = run(*arguments, "--output", Output.JSON, stdin=stdin)
        assert (result.exit_code, result.stderr) == (0, "")
        return json.loads(result.stdout)

    return call


@pytest.fixture
def receiver(run_json: RunJson) -> Any:
    """A receiver with the stub driver, as JSON."""
    return run_json("receiver", "create", "--name", "shop", "--driver", "stub")


@pytest.fixture
def install_torn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Install a plug-in ``torn`` in a group, whose module is missing."""

    def install(group: str) -> None:
        found = tmp_path / "site" / "torn-1.dist-info"
        found.mkdir(parents=True)
        (found / "METADATA").write_text("Metadata-Version: 2.1\nName: torn\nVersion: 1\n")
        (found / "entry_points.txt").write_text(f"[{group}]\ntorn = no.such.module:Torn\n")
        monkeypatch.syspath_prepend(str(found.parent))

    return install
