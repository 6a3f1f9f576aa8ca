"""PostgreSQL over TLS, as docs/operations.md recommends it: one's own authority is verified."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.certificates import self_signed
from tests.servers.postgres import Postgres
from webhook_service.errors import StoreUnavailable
from webhook_service.store import migrate
from webhook_service.store.database.database import Database

pytestmark = pytest.mark.postgres


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[tuple[Postgres, Path]]:
    """A server, and the certificate of its authority."""
    key, certificate = self_signed(tmp_path, "127.0.0.1")
    with Postgres(fsync=False, tls=(key, certificate)) as server:
        yield server, certificate


def test_the_server_of_a_known_authority_is_used_and_no_other(
    tls: tuple[Postgres, Path], tmp_path: Path
) -> None:
    server, certificate = tls
    (tmp_path / "other").mkdir()
    _, other = self_signed(tmp_path / "other", "127.0.0.1")
    known = Database(f"{server.url}?sslmode=verify-full&sslrootcert={certificate}")
    migrate.upgrade(known)
    with known.read() as connection:
        encrypted = connection.exec_driver_sql(
            "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        )
        assert encrypted.scalar_one() is True
    known.close()
    elsewhere = server.url.replace("127.0.0.1", "localhost")
    for url in (
        f"{server.url}?sslmode=verify-full&sslrootcert={other}",
        f"{elsewhere}?sslmode=verify-full&sslrootcert={certificate}",
    ):
        database = Database(url)
        with pytest.raises(StoreUnavailable) as refused:
            database.require_fitting_url()
        assert "certificate" in str(refused.value.__cause__)
        database.close()
