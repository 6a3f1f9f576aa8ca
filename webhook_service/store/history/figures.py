"""Figures in SQL: read from what was executed and delivered, newest first, up to a bound."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any

from sqlalchemy import Row, func, select

from webhook_service.model.delivery import DeliveryState
from webhook_service.model.execution import ExecutionState
from webhook_service.model.history.figures import FIGURE_DAYS, Day, Figures
from webhook_service.store.database.database import Database
from webhook_service.store.tables import deliveries, executions

MAX_LOOKED_AT = 10_000
SLOWEST = 5
_ENDED = (ExecutionState.SUCCEEDED, ExecutionState.FAILED)


class FigureStore:
    """Reads the figures of a project."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def figures(self, project: str, now: datetime, days: int = FIGURE_DAYS) -> Figures:
        """How a project deployed in the days before now, today included."""
        since = datetime.combine(
            now.date() - timedelta(days=days - 1), datetime.min.time(), tzinfo=UTC
        )
        column = executions.c
        newest = (
            select(
                *(column.id, column.slot, column.state, column.created, column.ordered),
                *(column.finished, column.rolls_back, column.identity),
            )
            .where(column.project == project)
            .order_by(column.seq.desc())
            .limit(MAX_LOOKED_AT)
        )
        with self._database.read() as connection:
            rows: Sequence[Any] = connection.execute(newest).all()
            ignored = {row[0]: row[1] for row in connection.execute(_ignored(project))}
        ended = [row for row in rows if row.state in _ENDED and row.finished >= since]
        return _figures(
            sorted(ended, key=lambda row: row.finished),
            [now.date() - timedelta(days=back) for back in reversed(range(days))],
            Counter(ignored),
            complete=len(rows) < MAX_LOOKED_AT or rows[-1].created < since,
        )


def _ignored(project: str) -> Any:
    newest = (
        select(deliveries.c.state, deliveries.c.reason)
        .where(deliveries.c.project == project)
        .order_by(deliveries.c.seq.desc())
        .limit(MAX_LOOKED_AT)
        .subquery()
    )
    return (
        select(newest.c.reason, func.count())
        .where(newest.c.state == DeliveryState.IGNORED)
        .group_by(newest.c.reason)
    )


def _figures(
    ended: Sequence[Row[Any]], days: Sequence[date], ignored: Counter[str], *, complete: bool
) -> Figures:
    undone = {row.rolls_back for row in ended if row.rolls_back}
    deployed = [row for row in ended if _is_deployment(row)]
    failures = sum(_is_failure(row, undone) for row in ended)
    lead = {row.id: _lead_time(row) for row in deployed}
    by_day: defaultdict[date, list[Row[Any]]] = defaultdict(list)
    for row in ended:
        by_day[row.finished.date()].append(row)
    slowest = sorted(deployed, key=lambda row: lead[row.id], reverse=True)[:SLOWEST]
    return Figures(
        days=tuple(_day(day, by_day[day]) for day in days),
        deployments=len(deployed),
        lead_time=_median(lead.values()),
        failures=failures,
        time_to_restore=_median(_restores(ended, undone)),
        ignored=dict(ignored.most_common()),
        slowest=tuple((row.id, row.slot, lead[row.id]) for row in slowest),
        complete=complete,
    )


def _day(day: date, rows: Sequence[Row[Any]]) -> Day:
    deployed = [row for row in rows if _is_deployment(row)]
    return Day(
        day,
        deployed=len(deployed),
        failed=sum(row.state == ExecutionState.FAILED for row in rows),
        rolled_back=sum(bool(row.rolls_back) for row in rows),
        lead_time=_median(map(_lead_time, deployed)),
    )


def _restores(ended: Sequence[Row[Any]], undone: set[str]) -> Iterable[timedelta]:
    """From a target's first failure to the next success there; a rollback is one."""
    broken: dict[str, datetime] = {}
    for row in ended:
        if _is_failure(row, undone):
            broken.setdefault(row.slot, row.finished)
        elif row.slot in broken:
            yield row.finished - broken.pop(row.slot)


def _is_deployment(row: Row[Any]) -> bool:
    return bool(row.state == ExecutionState.SUCCEEDED and not row.rolls_back)


def _is_failure(row: Row[Any], undone: set[str]) -> bool:
    return bool(
        row.state == ExecutionState.FAILED or (_is_deployment(row) and row.identity in undone)
    )


def _lead_time(row: Row[Any]) -> timedelta:
    took: timedelta = row.finished - min(row.ordered, row.created)
    return max(took, timedelta())


def _median(values: Iterable[timedelta]) -> timedelta | None:
    seconds = [value.total_seconds() for value in values]
    return timedelta(seconds=median(seconds)) if seconds else None
