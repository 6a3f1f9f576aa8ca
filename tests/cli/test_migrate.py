"""``webhook-service migrate``."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run, RunJson
from webhook_service.store.database import Database
from webhook_service.store.migrate import HEAD


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'cli.db'}"


def test_check_fails_on_an_empty_database_and_changes_nothing(run: Run) -> None:
    for _ in range(2):
        result = run("migrate", "--check")
        assert result.exit_code == 1
        assert result.stdout == f"The database is at no revision: this version needs {HEAD}.\n"


def test_migrate_makes_it_current(run: Run, run_json: RunJson) -> None:
    assert run_json("migrate") == {"revision": HEAD, "needed": HEAD, "current": True}
    assert run_json("migrate", "--check")["current"] is True
    assert run("migrate").stdout == f"The database is at {HEAD}: current.\n"


def test_a_newer_database_is_left_alone(run: Run, run_json: RunJson, database_url: str) -> None:
    run_json("migrate")
    database = Database(database_url)
    database.write(lambda c: c.exec_driver_sql("UPDATE alembic_version SET version_num='9999'"))
    database.close()
    assert run("migrate").exit_code == 1
    result = run("token", "list")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "newer than this version" in result.stderr
