from collections.abc import Iterator

import pytest
from sqlalchemy import event

from webhook_service.store.store import Store


@pytest.fixture
def statements(store: Store) -> Iterator[list[str]]:
    """The SQL that the writer runs from now on."""
    seen: list[str] = []
    engine = store.database._writers

    def note(_: object, __: object, statement: str, *___: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)
