"""What administrators of PostgreSQL mend under a running service, which then needs no restart."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from tests.reliability.sender import assert_each_ran_once, migrated, refused, taken
from tests.servers.certificates import self_signed
from tests.servers.postgres import Postgres, programs
from tests.support import PROJECT, add_receiver, make_service, push, wait_for, wait_for_end

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120), pytest.mark.postgres]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Postgres, Path]]:
    """A server of one's own with TLS, and its authority's certificate."""
    key, certificate = self_signed(tmp_path, "127.0.0.1")
    with Postgres(fsync=False, tls=(key, certificate)) as own:
        yield own, certificate


def _end_connections(server: Postgres, url: str) -> None:
    server.execute(
        f"""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = '{url.rpartition("/")[2]}'"""
    )


def test_a_database_that_is_dropped_and_restored_serves_its_receivers_again(
    postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.new_database()
    migrated(url)
    name, plain, dump = url.rpartition("/")[2], _plain(url), tmp_path / "dump"
    with make_service(url) as service:
        _, key = add_receiver(service)
        first = push(service, key, "1")
        assert_each_ran_once(service, list(first.executions))
        _run("pg_dump", "--format=custom", f"--file={dump}", plain)
        push(service, key, "2")
        postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")
        assert "does not exist" in refused(service, key)
        postgres.execute(f"CREATE DATABASE {name}")
        _run("pg_restore", "--no-owner", "--exit-on-error", f"--dbname={plain}", str(dump))
        made = wait_for(lambda: taken(service, key, "last"))
        assert wait_for_end(service, made[0]).state == "succeeded"
        newest, oldest = service.list_deliveries(PROJECT).items
        assert (newest.executions, oldest.id) == (made, first.id)
        service.ping()


def test_connections_that_others_took_are_used_again_when_they_are_free(
    server: tuple[Postgres, Path], caplog: pytest.LogCaptureFixture
) -> None:
    own, _ = server
    url = own.new_database()
    migrated(url)
    with make_service(url) as service, ExitStack() as others:
        _, key = add_receiver(service)
        # While they are not allowed in, the service's own connections cannot come back.
        name = url.rpartition("/")[2]
        administrator = others.enter_context(psycopg.connect(_plain(own.url), autocommit=True))
        administrator.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        _end_connections(own, url)
        with pytest.raises(psycopg.OperationalError, match="too many clients"):
            for _ in range(300):
                others.enter_context(psycopg.connect(_plain(own.url)))
        administrator.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
        assert "too many clients" in refused(service, key)
        wait_for(lambda: "too many clients" in caplog.text)
        others.close()
        made = wait_for(lambda: taken(service, key, "last"))
        assert_each_ran_once(service, list(made))
        service.ping()


def test_a_certificate_of_a_new_authority_is_taken_once_its_file_says_so(
    server: tuple[Postgres, Path], tmp_path: Path
) -> None:
    own, certificate = server
    url = own.new_database()
    migrated(url)
    (tmp_path / "renewed").mkdir()
    key_file, renewed = self_signed(tmp_path / "renewed", "127.0.0.1")
    with make_service(f"{url}?sslmode=verify-full&sslrootcert={certificate}") as service:
        _, key = add_receiver(service)
        own.renew(key_file, renewed)
        _end_connections(own, url)
        assert "certificate" in refused(service, key)
        certificate.write_text(renewed.read_text())
        made = wait_for(lambda: taken(service, key, "last"))
        assert_each_ran_once(service, list(made))
        service.ping()


def _plain(url: str) -> str:
    return url.replace("+psycopg", "")


def _run(program: str, *words: str) -> None:
    subprocess.run([programs() / program, *words], check=True, timeout=60)
