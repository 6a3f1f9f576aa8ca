"""Rows made in bulk by SQL, as copies of one that the service has made itself."""

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

import psycopg
from sqlalchemy import Table

from tests.support import PROJECT, make_service, push
from webhook_service.store.tables import deliveries, executions, keys, receivers

NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"
# Ids grow, as the service's do; identities are spread, as hashes are.
ID = "printf('%s_%012x7fff%016x', '{kind}', 1700000000000 + n, n)"
IDENTITY = "lower(hex(randomblob(16)))"


def add_receivers(url: str, count: int, called: int) -> Sequence[str]:
    """As many receivers as that; gives the keys of those to call, evenly spread."""
    with _bulk(url) as connection:
        connection.create_function("key_mark", 1, _mark, deterministic=True)
        _copy(connection, receivers, count, {"id": ID.format(kind="rcv"), "name": "'copy-' || n"})
        changed = {"fingerprint": "key_mark(n)", "receiver": ID.format(kind="rcv")}
        _copy(connection, keys, count, changed)
    step = count // called
    return [_key(number) for number in range(step, count + 1, step)]


def add_waiting(url: str, count: int) -> Sequence[str]:
    """Executions that are due, each in a slot of its own."""
    _push_once(url)
    with _bulk(url) as connection:
        _copy(connection, executions, count, _execution() | {"slot": "'slot-' || n"})
    return []


def add_history(url: str, count: int) -> Sequence[str]:
    """Deliveries whose bodies are pruned, and their executions, which have succeeded."""
    _push_once(url)
    ended = {"state": "'succeeded'", "due": "NULL", "finished": "created + n"}
    if not url.startswith("sqlite"):
        _add_history_to_postgresql(url, count, ended)
        return []
    with _bulk(url) as connection:
        _copy(connection, deliveries, count, {"id": ID.format(kind="dlv"), "body": "NULL"})
        _copy(connection, executions, count, _execution() | ended)
    return []


def _add_history_to_postgresql(url: str, count: int, ended: Mapping[str, str]) -> None:
    number = "lpad(to_hex(1700000000000 + n), 12, '0') || '7fff' || lpad(to_hex(n), 16, '0')"
    spread = "md5(random()::text || n)"
    execution = {"id": f"'exe_' || {number}", "delivery": f"'dlv_' || {number}"}
    execution |= {"identity": spread, "dedupe": spread, **ended}
    delivery = {"id": f"'dlv_' || {number}", "body": "NULL"}
    plain = url.replace("postgresql+psycopg:", "postgresql:")
    with psycopg.connect(plain, autocommit=True) as connection:
        for table, changed in ((deliveries, delivery), (executions, execution)):
            columns = [column.name for column in table.columns if column.name != "seq"]
            names = ", ".join(f'"{name}"' for name in columns)
            values = ", ".join(changed.get(name, f'newest."{name}"') for name in columns)
            newest = f"(SELECT * FROM {table.name} ORDER BY seq DESC LIMIT 1) AS newest"
            connection.execute(
                f"INSERT INTO {table.name} ({names}) SELECT {values} "
                f"FROM generate_series(1, {count}) AS numbers(n), {newest}"
            )
            connection.execute(f"VACUUM ANALYZE {table.name}")


def _execution() -> Mapping[str, str]:
    return {
        "id": ID.format(kind="exe"),
        "delivery": ID.format(kind="dlv"),
        "identity": IDENTITY,
        "dedupe": IDENTITY,
    }


def _push_once(url: str) -> None:
    with make_service(url, run=False) as service:
        (receiver,) = service.list_receivers(PROJECT).items
        push(service, service.receiver_key(PROJECT, receiver.id))


@contextmanager
def _bulk(url: str) -> Iterator[sqlite3.Connection]:
    """A connection that is fast and not durable, for a database that nobody else has open."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-1000000")
        with connection:
            yield connection
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _copy(
    connection: sqlite3.Connection, table: Table, count: int, changed: Mapping[str, str]
) -> None:
    """Copy the newest row, with other values of some columns; ``n`` counts from 1."""
    columns = [column.name for column in table.columns if column.name != "seq"]
    names = ", ".join(f'"{name}"' for name in columns)
    values = ", ".join(changed.get(name, f'"{name}"') for name in columns)
    newest = f"(SELECT * FROM {table.name} ORDER BY rowid DESC LIMIT 1)"
    connection.execute(
        f"{NUMBERS} INSERT INTO {table.name} ({names}) SELECT {values} FROM numbers, {newest}",
        (count,),
    )


def _key(number: int) -> str:
    return f"whk_{number:043d}"


def _mark(number: int) -> str:
    return hashlib.sha256(_key(number).encode()).hexdigest()
