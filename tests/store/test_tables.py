from datetime import UTC, datetime

import pytest
from sqlalchemy.dialects import sqlite

from webhook_service.store.tables import Moment, micros

FIRST, LAST = (each.replace(tzinfo=UTC) for each in (datetime.min, datetime.max))


@pytest.mark.parametrize(
    ("moment", "read"),
    [
        ("2026-11-28T03:00:00.000001+01:00", datetime(2026, 11, 28, 2, 0, 0, 1, UTC)),
        ("9999-12-31T23:59:59-14:00", LAST),
        ("0001-01-01T00:00:00+14:00", FIRST),
        (LAST.isoformat(), LAST),
        (FIRST.isoformat(), FIRST),
    ],
)
def test_every_moment_that_is_stored_can_be_read(moment: str, read: datetime) -> None:
    stored = Moment().process_bind_param(datetime.fromisoformat(moment), sqlite.dialect())
    assert Moment().process_result_value(stored, sqlite.dialect()) == read


@pytest.mark.parametrize(("stored", "read"), [(micros(LAST) + 1, LAST), (micros(FIRST) - 1, FIRST)])
def test_what_an_older_release_stored_can_be_read(stored: int, read: datetime) -> None:
    assert Moment().process_result_value(stored, sqlite.dialect()) == read
