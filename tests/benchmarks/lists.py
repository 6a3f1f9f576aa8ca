"""What the first page of each list costs in large tables, with each filter."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from tests.benchmarks.figures import Figure, repeat
from tests.benchmarks.load import Missing, processor_seconds
from tests.servers.postgres import Postgres
from tests.store.rows import LISTS, PROJECT, add_history
from tests.support import SECRET, sqlite_url
from webhook_service.model.pages import PageRequest
from webhook_service.settings import load_settings
from webhook_service.store import migrate
from webhook_service.store.database.database import Database
from webhook_service.store.store import Store, open_store

PAGES = 20


def measure(count: int) -> Iterator[Figure]:
    """CPU of this process and of the database, of which the oldest tenth is what is looked for."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _measure("SQLite", sqlite_url(Path(folder)), count, None)
    with Postgres(fsync=False) as postgres:
        yield from _measure("PostgreSQL", postgres.new_database(), count, postgres)


def _measure(name: str, url: str, count: int, server: Postgres | None) -> Iterator[Figure]:
    database = Database(url)
    # Indexes are built faster of what is there than with each row.
    migrate.upgrade(database, "0010")
    add_history(database, count)
    migrate.upgrade(database)
    database.close()
    store = open_store(load_settings(database_url=url, secret_key=SECRET))
    try:
        for table, cases in LISTS.items():
            for filters, expected in cases:
                said = ", ".join(f"{key} {value}" for key, value in filters.items()) or "all"
                values = repeat(
                    lambda table=table, filters=filters, expected=expected: _page(  # type: ignore[misc]
                        store, server, table, filters, expected
                    )
                )
                yield Figure(f"{table}: {said}, {count:,} rows, {name}", "ms", values, limit=20)
    finally:
        store.close()


def _page(
    store: Store, server: Postgres | None, table: str, filters: dict[str, str], expected: int
) -> float:
    """Milliseconds of CPU for one page."""
    pages, page = getattr(store, table), PageRequest(filters=filters)
    begin = _spent(server)
    for _ in range(PAGES):
        if len(pages.page(PROJECT, page).items) != expected:
            raise Missing(f"the page of {table} has not {expected} rows")
    return (_spent(server) - begin) / PAGES * 1000


def _spent(server: Postgres | None) -> float:
    """Seconds of CPU that this process and its connections to a database have taken."""
    if server is None:
        return time.process_time()
    plain = server.url.replace("postgresql+psycopg:", "postgresql:")
    query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
    with psycopg.connect(plain) as connection:
        mine = connection.info.backend_pid
        pids = [row[0] for row in connection.execute(query) if row[0] != mine]
    return time.process_time() + sum(processor_seconds(pid) for pid in pids)
