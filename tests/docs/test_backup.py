"""The commands of docs/backup.md run, in the order of the page."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.docs.test_docs import blocks
from tests.servers.postgres import Postgres, programs
from tests.support import SECRET, add_receiver, make_service, push, sqlite_url
from webhook_service.store import migrate
from webhook_service.store.database.database import Database

PAGE = (Path(__file__).parents[2] / "docs/backup.md").read_text()
SQLITE, POSTGRESQL = PAGE.split("## PostgreSQL")


def run(folder: Path, script: str, env: Mapping[str, str]) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), str(programs()), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=folder,
        env=os.environ | {"WEBHOOK_SERVICE_SECRET_KEY": SECRET, "PATH": path, **env},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.postgres
def test_the_commands_for_sqlite_run(tmp_path: Path) -> None:
    url, env = sqlite_url(tmp_path), {"WEBHOOK_SERVICE_DATABASE_URL": sqlite_url(tmp_path)}
    (tmp_path / "passphrase.txt").write_text("a passphrase of the tests\n")
    *backups, restore = blocks(SQLITE, "sh")
    with make_service(url, run=False) as service:
        _, key = add_receiver(service)
        push(service, key, "1")
        run(tmp_path, "".join(backups), env)
        push(service, key, "2")
    run(tmp_path, restore, env)
    with make_service(url, run=False) as service:
        assert sum(service.backlog().open.values()) == 1
        push(service, key, "2")


def test_the_commands_for_postgresql_run(tmp_path: Path, postgres: Postgres) -> None:
    url, restored = postgres.new_database(), postgres.new_database()
    database = Database(url)
    migrate.upgrade(database)
    database.close()
    env = {
        "DATABASE": url.replace("+psycopg", ""),
        "RESTORED": restored.replace("+psycopg", ""),
        "WEBHOOK_SERVICE_DATABASE_URL": restored,
    }
    with make_service(url, run=False) as service:
        _, key = add_receiver(service)
        push(service, key, "1")
        run(tmp_path, "".join(blocks(POSTGRESQL, "sh")), env)
    with make_service(restored, run=False) as service:
        assert sum(service.backlog().open.values()) == 1
        push(service, key, "2")
