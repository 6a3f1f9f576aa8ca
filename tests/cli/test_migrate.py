"""``webhook-service migrate``."""

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.cli.conftest import Run, RunJson
from tests.servers.postgres import Postgres
from tests.store.builders import accept, add_receiver, work
from webhook_service.errors import StoreUnavailable
from webhook_service.settings import load_settings
from webhook_service.store.database.database import Database
from webhook_service.store.migrate import HEAD
from webhook_service.store.store import open_store


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'cli.db'}"


@pytest.fixture(autouse=True)
def nothing(settings: None, tmp_path: Path) -> None:
    """No database yet."""
    for path in tmp_path.glob("cli.*"):
        path.unlink()


@pytest.mark.parametrize("there", [False, True])
def test_check_fails_without_a_schema_and_changes_nothing(
    run: Run, tmp_path: Path, there: bool
) -> None:
    if there:
        (tmp_path / "cli.db").touch()
    for _ in range(2):
        result = run("migrate", "--check")
        assert result.exit_code == 1
        assert result.stdout == (
            f"The database is at no revision: this version needs {HEAD}; "
            "run 'webhook-service migrate'.\n"
        )
    assert (tmp_path / "cli.db").exists() is there


def test_migrate_makes_it_current(run: Run, run_json: RunJson) -> None:
    result = run("migrate", "--output", "json")
    assert json.loads(result.stdout) == {
        "revision": HEAD,
        "needed": HEAD,
        "misnumbered": [],
        "unbuilt": [],
        "current": True,
    }
    steps = result.stderr.splitlines()
    assert (steps[0], steps[-1]) == (f"schema 0001 of {HEAD}", f"schema {HEAD} of {HEAD}")
    assert run_json("migrate", "--check")["current"] is True
    assert run("migrate").stdout == f"The database is at {HEAD}: current.\n"


def test_a_newer_database_is_left_alone(run: Run, run_json: RunJson, database_url: str) -> None:
    run("migrate")
    database = Database(database_url)
    database.write(lambda c: c.exec_driver_sql("UPDATE alembic_version SET version_num='9999'"))
    database.close()
    for words in (("migrate",), ("migrate", "--check"), ("doctor",)):
        result = run(*words)
        assert result.exit_code == 1
        assert "use the version that updated it" in result.stdout
        assert "run 'webhook-service migrate'" not in result.stdout
    result = run("token", "list")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "newer than this version" in result.stderr


def test_rows_without_their_sequences_are_noticed_and_set_right(
    run: Run, run_json: RunJson, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.new_database()
    monkeypatch.setenv("WEBHOOK_SERVICE_DATABASE_URL", url)
    run("migrate")
    store = open_store(load_settings(database_url=url, secret_key="a secret key of the tests"))
    receiver, _ = add_receiver(store)
    accept(store, receiver, work("1"), work("2"))
    assert run("migrate", "--check").exit_code == 0
    reset = "SELECT setval(pg_get_serial_sequence('executions', 'seq'), 1)"
    store.database.write(lambda connection: connection.execute(text(reset)))
    result = run("migrate", "--check")
    assert result.exit_code == 1
    assert "executions" in result.stdout and "run 'webhook-service migrate'" in result.stdout
    assert "deliveries" not in result.stdout
    with pytest.raises(StoreUnavailable):
        accept(store, receiver, work("3"))
    assert run_json("migrate")["current"] is True
    accept(store, receiver, work("4"))
    store.close()
