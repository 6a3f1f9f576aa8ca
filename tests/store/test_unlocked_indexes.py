"""Indexes of large tables on PostgreSQL: hosts write meanwhile, and what is half made is mended."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.errors import QueryCanceled
from sqlalchemy import Engine, event

from tests.servers.postgres import Postgres
from tests.support import wait_for
from webhook_service.errors import StoreUnavailable
from webhook_service.store import migrate
from webhook_service.store.database.database import Database
from webhook_service.store.unlocked_indexes import NAMES, unbuilt

WRITE = """INSERT INTO deliveries (id, project, receiver, state, items, client, received)
    VALUES ('{}', '1a5', 'rcv_1', 'accepted', '[]', '', 0)"""
WAITS = "SELECT count(*) FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting%'"
WAITING = "SELECT count(*) FROM pg_locks WHERE relation = 'deliveries'::regclass AND NOT granted"
INDEX = "ix_deliveries_state_project_seq"


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Database]:
    database = Database(postgres.new_database())
    migrate.upgrade(database)
    yield database
    database.close()


def connect(database: Database, **more: bool) -> psycopg.Connection:
    url = database.url.render_as_string(hide_password=False).replace("+psycopg", "")
    return psycopg.connect(url, **more)


def test_hosts_write_while_an_index_is_built(database: Database) -> None:
    with connect(database, autocommit=True) as host, connect(database) as slow:
        host.execute(f"DROP INDEX {INDEX}")
        host.execute("SET lock_timeout = '5s'")
        # A transaction that has written keeps any build waiting, at a moment of our choice.
        slow.execute(WRITE.format("dlv_1"))
        with ThreadPoolExecutor() as pool:
            migration = pool.submit(migrate.upgrade, database)
            assert wait_for(lambda: host.execute(WAITS).fetchone() == (1,))
            host.execute(WRITE.format("dlv_2"))
            assert not migration.done()
            slow.commit()
            migration.result(30)
    assert unbuilt(database) == []


def test_an_upgrade_from_the_first_release_scans_no_large_table_under_its_lock(
    postgres: Postgres,
) -> None:
    database = Database(postgres.new_database())
    migrate.upgrade(database, "0001")
    said: list[str] = []

    def hear(_: object, __: object, statement: str, *___: object) -> None:
        said.append(statement)

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        migrate.upgrade(database)
    finally:
        event.remove(Engine, "before_cursor_execute", hear)
    database.close()
    large = re.compile(r"\b(deliveries|executions)\b")
    of_large = [statement for statement in said if large.search(statement)]
    indexes = [each for each in of_large if re.match("CREATE (UNIQUE )?INDEX", each)]
    assert len(indexes) >= 11
    assert [each for each in indexes if "CONCURRENTLY" not in each] == []
    changes = [each for each in of_large if each.startswith(("UPDATE", "DELETE"))]
    assert len(changes) >= 2
    assert [each for each in changes if "seq BETWEEN" not in each] == []


def test_an_index_that_was_left_half_made_is_built_anew(database: Database) -> None:
    with connect(database, autocommit=True) as host, connect(database) as slow:
        host.execute(f"DROP INDEX {INDEX}")
        slow.execute(WRITE.format("dlv_1"))
        host.execute("SET statement_timeout = '500ms'")
        with pytest.raises(QueryCanceled):
            host.execute(f"CREATE INDEX CONCURRENTLY {INDEX} ON deliveries (state, project, seq)")
    assert unbuilt(database) == [INDEX]
    migrate.upgrade(database)
    assert unbuilt(database) == []


def test_two_that_migrate_at_once_do_not_drop_each_others_work(database: Database) -> None:
    other = Database(database.url.render_as_string(hide_password=False))
    with connect(database, autocommit=True) as host:
        for name in NAMES:
            host.execute(f"DROP INDEX {name}")
    assert unbuilt(database) == list(NAMES)
    with ThreadPoolExecutor() as pool:
        both = [pool.submit(migrate.upgrade, each) for each in (database, other)]
        for migration in both:
            migration.result(60)
    assert unbuilt(database) == []
    other.close()


@pytest.fixture
def old(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database as the first release has it; a migration waits for its tables for a moment."""
    monkeypatch.setattr(migrate, "_LOCK_WAIT", 0.2)
    monkeypatch.setattr(migrate, "_PAUSE", 0.1)
    database = Database(postgres.new_database())
    migrate.upgrade(database, "0001")
    yield database
    database.close()


def test_a_migration_that_waits_for_a_backup_lets_hosts_write(old: Database) -> None:
    with connect(old, autocommit=True) as host, connect(old) as dump:
        dump.execute("SELECT count(*) FROM deliveries")  # as pg_dump does, for as long as it runs
        host.execute("SET lock_timeout = '5s'")
        with ThreadPoolExecutor() as pool:
            migration = pool.submit(migrate.upgrade, old)
            wait_for(lambda: host.execute(WAITING).fetchone() == (1,))
            host.execute(WRITE.format("dlv_1"))
            assert not migration.done()
            dump.commit()
            migration.result(30)
    assert migrate.current_revision(old) == migrate.HEAD


def test_a_migration_that_waits_in_vain_says_for_what(
    old: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "_TRIES", 2)
    with connect(old) as dump:
        dump.execute("SELECT count(*) FROM deliveries")
        with pytest.raises(StoreUnavailable, match="such as pg_dump"):
            migrate.upgrade(old)
    assert migrate.current_revision(old) == "0001"
