"""Indexes of large tables on PostgreSQL: hosts write meanwhile, and what is half made is mended."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.errors import QueryCanceled

from tests.servers.postgres import Postgres
from tests.support import wait_for
from webhook_service.store import migrate
from webhook_service.store.database.database import Database
from webhook_service.store.unlocked_indexes import NAMES, unbuilt

WRITE = """INSERT INTO deliveries (id, project, receiver, state, items, client, received)
    VALUES ('{}', '1a5', 'rcv_1', 'accepted', '[]', '', 0)"""
WAITS = "SELECT count(*) FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting%'"
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
