"""The secret key and what it sealed: whether it opens that, and sealing all of it again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Row, select, update

from webhook_service.errors import SettingsError
from webhook_service.store.database.database import Database
from webhook_service.store.secrets.sealing import Sealer
from webhook_service.store.tables import inbox_keys, inboxes, keys, notifications, receivers

# Rows of one transaction, so that calls need not wait long for the writer.
BATCH = 200
# The oldest rows of each table: what the oldest key sealed is among them.
CHECKED = 100

_BY = {
    keys: keys.c.fingerprint,
    receivers: receivers.c.id,
    inbox_keys: inbox_keys.c.fingerprint,
    inboxes: inboxes.c.id,
    notifications: notifications.c.id,
}
_AGE = {
    keys: keys.c.created,
    receivers: receivers.c.updated,
    inbox_keys: inbox_keys.c.created,
    inboxes: inboxes.c.updated,
    notifications: notifications.c.updated,
}
_OWNER = {
    keys: keys.c.receiver,
    receivers: receivers.c.id,
    inbox_keys: inbox_keys.c.inbox,
    inboxes: inboxes.c.id,
    notifications: notifications.c.id,
}


def require_not_lost(database: Database, file: Path | None) -> None:
    """Make sure that a missing key file is one that is yet to be made.

    A new key beside what a lost one sealed opens nothing, and hides that the other is lost.

    Args:
        file: where the service makes its key; None if it makes none.

    Raises:
        SettingsError: something is sealed, and the file is not there.
    """
    if file is None or file.exists():
        return
    with database.read() as connection:
        is_used = any(
            _with_sealed(row, lambda sealed: sealed)
            for table in _BY
            for row in connection.execute(select(table))
        )
    if is_used:
        raise SettingsError(
            f"{file} is not there, and nothing else opens the stored secrets: restore the file "
            "from a backup, or set WEBHOOK_SERVICE_SECRET_KEY to what was in it."
        )


def require_opens(database: Database, sealer: Sealer) -> None:
    """Make sure that the keys which are set open what is stored.

    Raises:
        SettingsError: they do not; the message says what to set.
    """
    with database.read() as connection:
        for table in _BY:
            rows = connection.execute(select(table).order_by(_AGE[table]).limit(CHECKED))
            for row in rows:
                _with_sealed(row, _for(row, _OWNER[table], sealer.open))


def reseal(database: Database, sealer: Sealer) -> int:
    """Seal every secret again with the newest key, while hosts run; how many rows had one.

    Raises:
        SettingsError: a secret does not open, as its key is not set; others may be done.
    """
    count = 0
    for by in _BY.values():
        last: str | None = ""
        while last is not None:
            done, last = database.write(_batch(sealer, by, last))
            count += done
    return count


def _batch(
    sealer: Sealer, by: Column[str], last: str
) -> Callable[[Connection], tuple[int, str | None]]:
    table = by.table
    # Locked, so that no change of somebody else is written over.
    query = select(table).where(by > last).order_by(by).limit(BATCH).with_for_update()

    def job(connection: Connection) -> tuple[int, str | None]:
        count, at = 0, None
        rows = connection.execute(query).all()
        for row in rows:
            at = row._mapping[by]
            if values := _with_sealed(row, _for(row, _OWNER[table], sealer.reseal)):
                connection.execute(update(table).where(by == at).values(values))
                count += 1
        return count, at if len(rows) == BATCH else None

    return job


def _for(row: Row[Any], owner: Column[str], do: Callable[[str, str], str]) -> Callable[[str], str]:
    return lambda sealed: do(row._mapping[owner], sealed)


def _with_sealed(row: Row[Any], change: Callable[[str], str]) -> dict[str, Any]:
    """The columns of a row that hold something sealed, with it changed."""
    if "sealed" in row._fields:
        return {"sealed": change(row.sealed)}
    found: dict[str, Any] = {}
    if "verify" in row._fields and (sealed := row.verify.get("sealed")):
        found["verify"] = {**row.verify, "sealed": change(sealed)}
    if "sealed_config" in row._fields and row.sealed_config is not None:
        found["sealed_config"] = change(row.sealed_config)
    return found
