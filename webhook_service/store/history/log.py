"""The log of deliveries in SQL. What a page costs does not depend on how long the log is."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Text, cast, or_, select

from webhook_service.errors import InvalidRequest, NotFound, SettingsError
from webhook_service.model.execution import Execution
from webhook_service.model.history.delivery_log import (
    LOG_PAGE,
    LOG_WINDOW,
    LogEntry,
    LogPage,
    LogQuery,
    Pulse,
)
from webhook_service.store.database.database import Database
from webhook_service.store.filters import Given, Indexed, chosen, find_places
from webhook_service.store.history.deliveries import delivery_from_row, filters_for
from webhook_service.store.history.executions import execution_from_row
from webhook_service.store.secrets.sealing import Sealer
from webhook_service.store.tables import OPEN, RUNNING, deliveries, executions

MAX_UNDER_WAY = 200
# All but the bodies, of which a page would read megabytes for nothing.
_SHOWN = [column for column in deliveries.c if column.name != "body"]
_DIGEST = "sha256:"
# Only what a call was about, and no field's name.
_SUBJECT = '%"subject":"%{}%","state":%'


class LogStore:
    """Reads deliveries together with their executions, each within its project."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    def page(self, project: str, asked: LogQuery, limit: int = LOG_PAGE) -> LogPage:
        """A page of the log, newest first.

        Raises:
            InvalidRequest: the marker is none that a page gave.
        """
        begin = self._opened(project, asked.marker) if asked.marker else None
        order = deliveries.c.seq
        with self._database.browse() as connection:
            given = _given(connection, project, asked)
            query = find_places(connection, project, order, given, begin, limit + 1)
            floor = None
            if any(not isinstance(field, Indexed) for field, _ in given):
                last = find_places(connection, project, order, (), begin, 1)
                floor = connection.execute(last.offset(LOG_WINDOW - 1)).scalar_one_or_none()
            if floor is not None:
                query = query.where(order >= floor)
            places = connection.execute(query).scalars().all()
            shown = select(*_SHOWN).where(order.in_(places[:limit])).order_by(order.desc())
            entries = tuple(_entries(connection, connection.execute(shown).all()))
        if len(places) > limit:
            return LogPage(entries, self._sealed(project, places[limit - 1]))
        if floor is not None:
            return LogPage(entries, self._sealed(project, floor), LOG_WINDOW)
        return LogPage(entries)

    def entries(self, project: str, ids: Collection[str]) -> list[LogEntry]:
        """Those of some deliveries that there are, oldest first."""
        with self._database.read() as connection:
            query = select(*_SHOWN).where(
                deliveries.c.project == project, deliveries.c.id.in_(list(ids))
            )
            rows = connection.execute(query.order_by(deliveries.c.seq)).all()
            return list(_entries(connection, rows))

    def newer(self, project: str, than: str | None, limit: int = LOG_PAGE) -> list[LogEntry]:
        """The newest deliveries that came after one of them, oldest first."""
        query = select(*_SHOWN).where(deliveries.c.project == project)
        if than is not None:
            place = select(deliveries.c.seq).where(
                deliveries.c.id == than, deliveries.c.project == project
            )
            query = query.where(deliveries.c.seq > place.scalar_subquery())
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(deliveries.c.seq.desc()).limit(limit)).all()
            return list(_entries(connection, rows[::-1]))

    def under_way(self, project: str) -> Mapping[str, Pulse]:
        """What moves now, by the id of the execution: the newest ones."""
        columns = executions.c
        found: dict[str, Pulse] = {}
        with self._database.read() as connection:
            for moving in (OPEN, RUNNING):
                query: Select[Any] = (
                    select(
                        columns.id, columns.delivery, columns.state, columns.message, columns.due
                    )
                    .where(columns.project == project, moving)
                    .order_by(columns.seq.desc())
                    .limit(MAX_UNDER_WAY)
                )
                for id_, *pulse in connection.execute(query):
                    found[id_] = Pulse(*pulse)
        return found

    def body(self, project: str, delivery_id: str) -> bytes | None:
        """What was sent, as far as it is kept; raises NotFound for a foreign id."""
        query = select(deliveries.c.body).where(
            deliveries.c.id == delivery_id, deliveries.c.project == project
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFound("Delivery not found")
        body: bytes | None = row.body
        return body

    def _sealed(self, project: str, seq: int) -> str:
        return self._sealer.seal(f"log {project}", str(seq))

    def _opened(self, project: str, marker: str) -> int:
        try:
            return int(self._sealer.open(f"log {project}", marker))
        except SettingsError:
            raise InvalidRequest("This page of the log is not known: begin anew.") from None


def _given(connection: Connection, project: str, asked: LogQuery) -> list[Given]:
    """What is asked for; what no index finds is only looked for in a window of the log."""
    fields = {"receiver": asked.receiver, "state": asked.state, "reason": asked.reason}
    text = asked.text.strip()
    if text.startswith(("dlv_", "exe_")):
        fields["id"] = _delivery_of(connection, project, text)
    known = {**filters_for(connection, asked.receiver), "id": Indexed(deliveries.c.id, True)}
    given = chosen({name: value for name, value in fields.items() if value}, known)
    return [*given, (_is_about, text)] if text and "id" not in fields else given


def _delivery_of(connection: Connection, project: str, id_: str) -> str:
    """The id of a delivery, as given or of an execution; that of none stays as it is."""
    mine = select(executions.c.delivery).where(
        executions.c.id == id_, executions.c.project == project
    )
    return connection.execute(mine).scalar_one_or_none() or id_


def _is_about(text: str) -> ColumnElement[bool]:
    said = cast(deliveries.c["items"], Text).like(_SUBJECT.format(_escaped(text)), escape="/")
    if not text.startswith(_DIGEST):
        return said
    # A registry that was asked told the digest after the call.
    found = select(executions.c.seq).where(
        executions.c.delivery == deliveries.c.id,
        cast(executions.c.event, Text).contains(text, autoescape=True),
    )
    return or_(said, found.exists())


def _escaped(text: str) -> str:
    """A text as it stands within JSON, for LIKE."""
    inner = json.dumps(text, ensure_ascii=False)[1:-1]
    return inner.replace("/", "//").replace("%", "/%").replace("_", "/_")


def _entries(connection: Connection, rows: Sequence[Row[Any]]) -> Iterator[LogEntry]:
    done: defaultdict[str, list[Execution]] = defaultdict(list)
    # A delivery's executions are of its project. To say so here would let SQLite read all of the
    # project's, by the index that has their order.
    ids = [row.id for row in rows]
    query = select(executions).where(executions.c.delivery.in_(ids)).order_by(executions.c.seq)
    for row in connection.execute(query):
        done[row.delivery].append(execution_from_row(row))
    for row in rows:
        yield LogEntry(delivery_from_row(row), tuple(done[row.id]))
