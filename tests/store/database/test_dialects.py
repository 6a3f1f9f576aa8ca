import os
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.servers.postgres import Postgres
from webhook_service.errors import SettingsError, StoreUnavailable, with_cause
from webhook_service.store.database.database import Database
from webhook_service.store.database.dialects import open_engine, parse_url, sqlite_file


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:///here.db", "sqlite+pysqlite"),
        ("postgresql://u@h/d", "postgresql+psycopg"),
        ("postgresql+psycopg2://u@h/d", "postgresql+psycopg"),
    ],
)
def test_a_url_names_the_database_not_the_library(url: str, driver: str) -> None:
    assert parse_url(url).drivername == driver


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("no url", "not a URL"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("mysql://u@h/d", "mysql is not supported"),
    ],
)
def test_a_database_url_that_cannot_be_used_says_what_to_write(url: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        parse_url(url)


def test_the_folder_of_a_sqlite_database_is_made(tmp_path: Path) -> None:
    file = sqlite_file(parse_url(f"sqlite:///{tmp_path}/a/b/test.db"))
    assert file == tmp_path / "a" / "b" / "test.db"
    assert file.parent.is_dir()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("folder", "Is a directory"),
        ("file/test.db", "(File exists|Not a directory)"),
        ("n" * 300, "File name too long"),
        ("loop", "Too many levels"),
    ],
)
def test_a_file_that_cannot_be_opened_is_named_with_the_reason(
    tmp_path: Path, name: str, why: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(SettingsError, match=rf"{name} cannot be opened \({why}") as error:
        Database(f"sqlite:///{tmp_path}/{name}")
    assert "WEBHOOK_SERVICE_DATABASE_URL" in error.value.message


@pytest.mark.parametrize(
    ("url", "host", "query"),
    [
        ("postgres://u:p@h/d", "h", {}),
        ("postgresql://u:p@a:1,b:2/d", None, {"host": ("a:1", "b:2")}),
        ("postgresql://a,b/d?sslmode=require", None, {"host": ("a", "b"), "sslmode": "require"}),
    ],
)
def test_urls_are_taken_as_libpq_writes_them(
    url: str, host: str | None, query: dict[str, object]
) -> None:
    found = parse_url(url)
    assert (found.host, dict(found.query), found.database) == (host, query, "d")
    assert found.drivername == "postgresql+psycopg"


@pytest.mark.parametrize("word", ["pooler=session", "pooler=x"])
def test_a_pooler_that_needs_no_word_gets_none(word: str) -> None:
    with pytest.raises(SettingsError, match="leave it out where"):
        parse_url(f"postgresql://h/d?{word}")


@pytest.mark.parametrize("threshold", ["-1", "x", "1.5"])
def test_a_threshold_that_is_no_number_is_refused(threshold: str) -> None:
    url = parse_url(f"postgresql://h/d?prepare_threshold={threshold}")
    with pytest.raises(SettingsError, match="must be a number or none"):
        open_engine(url, readers=True)


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("query", "statement", "found"),
    [
        ("", "SHOW statement_timeout", "10s"),
        ("options=-csearch_path%3Dwh", "SHOW search_path", "wh"),
        ("options=-csearch_path%3Dwh", "SHOW statement_timeout", "10s"),
        ("options=-cstatement_timeout%3D7s", "SHOW statement_timeout", "7s"),
        ("application_name=hooks", "SHOW application_name", "hooks"),
        ("pooler=transaction", "SHOW statement_timeout", "10s"),
        ("pooler=transaction&options=-cstatement_timeout%3D7s", "SHOW statement_timeout", "7s"),
    ],
)
def test_what_the_url_says_of_a_connection_counts(
    postgres: Postgres, query: str, statement: str, found: str
) -> None:
    engine = open_engine(parse_url(f"{postgres.new_database()}?{query}"), readers=True)
    with engine.connect() as connection:
        assert connection.exec_driver_sql(statement).scalar_one() == found
    engine.dispose()


@pytest.mark.postgres
def test_a_peer_that_went_without_a_word_is_noticed_in_a_minute(postgres: Postgres) -> None:
    engine = open_engine(parse_url(postgres.url), readers=True)
    with engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        with socket.socket(fileno=os.dup(raw.pgconn.socket)) as line:

            def told(option: int) -> int:
                return line.getsockopt(socket.IPPROTO_TCP, option)

            silent = told(socket.TCP_KEEPIDLE)
            silent += told(socket.TCP_KEEPINTVL) * told(socket.TCP_KEEPCNT)
            assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert silent <= 60
            assert told(socket.TCP_USER_TIMEOUT) <= 60_000
            assert told(socket.TCP_USER_TIMEOUT) > 0
    engine.dispose()


@pytest.mark.postgres
def test_a_database_without_an_encoding_is_refused_in_words(postgres: Postgres) -> None:
    url = postgres.new_database("ENCODING 'SQL_ASCII' TEMPLATE template0")
    with pytest.raises(SettingsError, match="create it with ENCODING 'UTF8'"):
        open_engine(parse_url(url), readers=True).connect()


@pytest.mark.postgres
def test_a_server_that_takes_no_writes_is_not_connected_to(postgres: Postgres) -> None:
    url = postgres.new_database()
    name = url.rpartition("/")[2]
    postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    database = Database(url)
    with pytest.raises(StoreUnavailable) as caught, database.read():
        pass
    assert "read-only" in with_cause(caught.value)
    assert "read-only" not in caught.value.message
    database.close()
