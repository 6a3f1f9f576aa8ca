import importlib.resources
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, text

from tests.support import SECRET
from webhook_service.errors import SettingsError
from webhook_service.model.pages import PageRequest
from webhook_service.settings import load_settings
from webhook_service.store import migrate
from webhook_service.store.database.database import Database
from webhook_service.store.database.dialects import parse_url
from webhook_service.store.history.audit import AuditStore
from webhook_service.store.history.deliveries import DeliveryStore
from webhook_service.store.indexes import metadata
from webhook_service.store.secrets.sealing import Sealer
from webhook_service.store.store import open_store
from webhook_service.store.tables import executions


# What SQLAlchemy cannot read of SQLite, the plans of lists tell: they would not use it.
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based")
def test_the_migrations_build_exactly_the_tables(empty_url: str) -> None:
    database = Database(empty_url)
    migrate.upgrade(database)
    with database.connect_for_migration() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    assert migrate.current_revision(database) == migrate.HEAD
    database.close()


def test_every_migration_can_be_undone_and_done_again(empty_url: str) -> None:
    database = Database(empty_url)
    migrate.upgrade(database)
    migrate.downgrade(database, "base")
    assert migrate.current_revision(database) is None
    migrate.upgrade(database)
    migrate.upgrade(database)
    assert migrate.current_revision(database) == migrate.HEAD
    database.close()


def test_head_is_the_newest_migration_shipped() -> None:
    folder = importlib.resources.files("webhook_service.migrations.versions")
    files = sorted(f.name for f in folder.iterdir() if f.name[:1].isdigit())
    assert files[-1].startswith(migrate.HEAD)


def test_an_embedded_database_is_brought_up_to_date_by_itself(tmp_path: Path) -> None:
    settings = load_settings(database_url=f"sqlite:///{tmp_path / 'test.db'}")
    open_store(settings).close()
    open_store(settings).close()
    key = tmp_path / "test.key"
    assert key.stat().st_mode & 0o777 == 0o600


def test_a_server_database_is_never_migrated_behind_its_owners_back(
    empty_url: str, tmp_path: Path
) -> None:
    if parse_url(empty_url).get_backend_name() == "sqlite":
        open_store(load_settings(database_url=empty_url, secret_key=SECRET)).close()
        return
    with pytest.raises(SettingsError, match="webhook-service migrate"):
        open_store(load_settings(database_url=empty_url, secret_key=SECRET))


def test_a_database_of_a_newer_version_is_refused(empty_url: str) -> None:
    database = Database(empty_url)
    migrate.upgrade(database)
    newer = text("UPDATE alembic_version SET version_num = '9999'")
    database.write(lambda connection: connection.execute(newer))
    with pytest.raises(SettingsError, match="newer"):
        migrate.require_current(database)
    database.close()


def test_what_an_older_version_stored_is_kept_and_can_be_read(empty_url: str) -> None:
    database = Database(empty_url)
    migrate.upgrade(database, "0001")
    rows = [
        ("dlv_1", "accepted", None),
        ("dlv_2", "ignored", None),
        ("dlv_3", "ignored", "untagged"),
    ]
    insert = text(
        "INSERT INTO deliveries (id, project, receiver, state, reason, items, client, received) "
        "VALUES (:id, '1a5', 'rcv_1', :state, :reason, '[]', '', 0)"
    )
    named = [dict(zip(("id", "state", "reason"), row, strict=True)) for row in rows]
    database.write(lambda connection: connection.execute(insert, named))
    migrate.upgrade(database)
    deliveries = DeliveryStore(database, Sealer([SECRET]))
    found = [deliveries.get("1a5", id_) for id_, _, _ in rows]
    assert [each.reason for each in found] == [None, "empty", "untagged"]
    assert [each.refusal for each in found] == [None, None, None]
    assert AuditStore(database, Sealer([SECRET])).page("1a5", PageRequest()).items == ()
    migrate.downgrade(database, "0001")
    database.close()


def test_what_older_hosts_leave_without_a_date_is_dated(empty_url: str) -> None:
    database = Database(empty_url)
    migrate.upgrade(database)
    left = [("done", "succeeded", []), ("half", "failed", [{"field": "image"}]), ("open", "x", [])]
    texts = dict.fromkeys(("project", "receiver", "delivery", "driver", "identity"), "")
    rows = [
        {
            **texts,
            **{"id": id_, "slot": id_, "dedupe": id_, "state": state, "changes": changes},
            **{"coalesce": True, "named": True, "event": {}, "driver_state": {}},
            **{"ordered": datetime.now(UTC), "created": datetime.now(UTC)},
        }
        for id_, state, changes in left
    ]
    database.write(lambda connection: connection.execute(insert(executions), rows))
    migrate.upgrade(database)
    with database.read() as connection:
        found = connection.execute(text("SELECT id FROM executions WHERE changed IS NOT NULL"))
        assert sorted(found.scalars()) == ["done", "half"]
    database.close()


def test_a_server_database_needs_a_secret_key() -> None:
    settings = load_settings(database_url="postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(SettingsError, match="SECRET_KEY"):
        open_store(settings)
