"""What an administrator takes from the service's role in PostgreSQL, and gives back.

Meanwhile callers are refused, and the log says what is wrong. Afterwards pushes are taken again,
without a restart, and what was taken has run once.
"""

import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from tests.reliability.sender import assert_each_ran_once, migrated, refused, taken
from tests.servers.postgres import Postgres
from tests.support import add_receiver, make_service, push, wait_for
from webhook_service.errors import StoreUnavailable

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120), pytest.mark.postgres]
PASSWORD = "the first one"


@dataclass(frozen=True)
class Harm:
    """Statements of an administrator, and what is said meanwhile.

    ``{name}`` is the database, and the role as well.
    """

    done: str
    mended: str
    says: str


HARMS = {
    "may not connect": Harm(
        "REVOKE CONNECT ON DATABASE {name} FROM PUBLIC, {name}",
        "GRANT CONNECT ON DATABASE {name} TO {name}",
        "permission denied for database",
    ),
    "may not log in": Harm(
        "ALTER ROLE {name} NOLOGIN", "ALTER ROLE {name} LOGIN", "is not permitted to log in"
    ),
    "has another password": Harm(
        "ALTER ROLE {name} PASSWORD 'the second one'",
        f"ALTER ROLE {{name}} PASSWORD '{PASSWORD}'",
        "password authentication failed",
    ),
    "may have no connection": Harm(
        "ALTER ROLE {name} CONNECTION LIMIT 0",
        "ALTER ROLE {name} CONNECTION LIMIT -1",
        "too many connections",
    ),
    "may only read": Harm(
        "ALTER ROLE {name} SET default_transaction_read_only = on",
        "ALTER ROLE {name} RESET default_transaction_read_only",
        "read-only",
    ),
    "finds the database renamed": Harm(
        "ALTER DATABASE {name} RENAME TO aside",
        "ALTER DATABASE aside RENAME TO {name}",
        "does not exist",
    ),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A server that asks for passwords, but not for the administrator's."""
    with Postgres(fsync=False) as own:
        rules = own.folder / "data" / "pg_hba.conf"
        lines = ["host all postgres 127.0.0.1/32 trust", "host all all 127.0.0.1/32 scram-sha-256"]
        rules.write_text("\n".join(lines) + "\n")
        own.execute("SELECT pg_reload_conf()")
        yield own


@pytest.fixture
def name(server: Postgres) -> str:
    """A database, and its owner of the same name."""
    name = f"hooks_{secrets.token_hex(4)}"
    server.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
    server.execute(f"CREATE DATABASE {name} OWNER {name}")
    return name


@pytest.fixture
def url(server: Postgres, name: str) -> str:
    password = PASSWORD.replace(" ", "%20")
    url = f"postgresql://{name}:{password}@127.0.0.1:{server.port}/{name}"
    migrated(url)
    return url


def _end_connections(server: Postgres, name: str) -> None:
    server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename='{name}'")


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS.keys())
def test_what_is_taken_from_the_role_and_given_back_needs_no_restart(
    server: Postgres, name: str, url: str, harm: Harm, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with make_service(url) as service:
        _, key = add_receiver(service)
        made = push(service, key, "1").executions
        assert_each_ran_once(service, list(made))
        server.execute(f"ALTER ROLE {name} CONNECTION LIMIT 0")  # none comes back in between
        _end_connections(server, name)
        wait_for(lambda: not _connections(server, name))
        server.execute(harm.done.format(name=name))
        if "LIMIT" not in harm.done:
            server.execute(f"ALTER ROLE {name} CONNECTION LIMIT -1")
        assert harm.says in refused(service, key)
        with pytest.raises(StoreUnavailable):
            service.ping()
        wait_for(lambda: harm.says in caplog.text)
        assert PASSWORD not in caplog.text
        server.execute(harm.mended.format(name=name))
        made += wait_for(lambda: taken(service, key))
        assert_each_ran_once(service, list(made))
        service.ping()


def _connections(server: Postgres, name: str) -> int:
    [(count,)] = server.ask(f"SELECT count(*) FROM pg_stat_activity WHERE usename='{name}'")
    return int(count)


def test_a_right_on_a_table_that_is_taken_and_given_back_needs_no_restart(
    server: Postgres, name: str, url: str
) -> None:
    administrator = f"postgresql://postgres@127.0.0.1:{server.port}/{name}"
    with (
        make_service(url) as service,
        psycopg.connect(administrator, autocommit=True) as connection,
    ):
        _, key = add_receiver(service)
        connection.execute("ALTER TABLE deliveries OWNER TO postgres")
        assert "permission denied for table deliveries" in refused(service, key)
        connection.execute(f"ALTER TABLE deliveries OWNER TO {name}")
        made = wait_for(lambda: taken(service, key))
        assert_each_ran_once(service, list(made))
