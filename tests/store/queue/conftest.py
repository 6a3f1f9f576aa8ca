from collections.abc import Iterator

import pytest
from sqlalchemy import event

from tests.store.queue.claiming import LEASE, Clock
from webhook_service.store.queue.queue import Queue
from webhook_service.store.store import Store


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(store: Store, clock: Clock) -> Queue:
    """The queue of an engine whose clock is the test's; leases last 30 seconds."""
    queue = Queue(store.database, LEASE, clock)
    queue.sweep()  # the first one of a process looks at all that is open
    return queue


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
