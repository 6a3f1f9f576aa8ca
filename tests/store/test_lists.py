"""What lists cost in large tables, on both databases: the work is counted, not timed."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, event

from tests.store.rows import COUNT, LISTS, MINUTE, OLD, PROJECT, SMALL, add_history
from tests.support import SECRET
from webhook_service.errors import InvalidRequest, ListTooLong
from webhook_service.model.pages import PageRequest
from webhook_service.settings import load_settings
from webhook_service.store import migrate
from webhook_service.store.database import database as database_module
from webhook_service.store.database.database import Database
from webhook_service.store.secrets.sealing import Sealer
from webhook_service.store.store import Store, open_store

# Instructions of SQLite's virtual machine, and PostgreSQL's pages of 8 KiB. With several filters a
# list may look at some thousand rows; one that reads all that an old filter matches is over it.
MAX_STEPS = 200_000
MAX_BLOCKS = {True: 600, False: 5_000}
STEPS = 500
# Rows are made while other tests run.
pytestmark = pytest.mark.timeout(900)

MIDDLE = str(OLD // 2)
CASES = [
    pytest.param(table, *each, id=f"{table} {each[0]}")
    for table, cases in LISTS.items()
    for each in cases
]


@pytest.fixture(scope="module")
def said() -> list[str]:
    """What the upgrade of the large tables logs."""
    return []


@pytest.fixture(
    scope="module",
    params=[
        # Such tables take twenty seconds: they are made in one worker.
        pytest.param("sqlite", marks=pytest.mark.xdist_group("large")),
        pytest.param("postgresql", marks=pytest.mark.postgres),
    ],
)
def large(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, said: list[str]
) -> Iterator[Store]:
    """A store whose tables an older version filled."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('large') / 'test.db'}"
    else:
        url = request.getfixturevalue("postgres").new_database()
    database = Database(url)
    migrate.upgrade(database, "0010")
    add_history(database)
    heard = logging.Handler()
    heard.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger(migrate.__name__).addHandler(heard)
    migrate.upgrade(database)
    logging.getLogger(migrate.__name__).removeHandler(heard)
    database.close()
    store = open_store(load_settings(database_url=url, secret_key=SECRET))
    yield store
    store.close()


@pytest.mark.parametrize(("table", "filters", "expected"), CASES)
def test_a_page_costs_no_more_in_a_large_table(
    large: Store, table: str, filters: dict[str, str], expected: int
) -> None:
    with counted(large, MAX_BLOCKS[len(filters) < 2]) as work:
        page = getattr(large, table).page(PROJECT, PageRequest(filters=filters))
    assert len(page.items) == expected
    assert work() < 1


@pytest.mark.parametrize(("table", "filters", "expected"), CASES)
def test_nor_does_a_page_deep_down_or_in_a_small_project(
    large: Store, table: str, filters: dict[str, str], expected: int
) -> None:
    place = f"aud_{OLD // 2 * MINUTE:012x}" if table == "audit" else MIDDLE
    marker = Sealer([SECRET]).seal(f"marker {table} {PROJECT}", place)
    pages = getattr(large, table)
    with counted(large, MAX_BLOCKS[len(filters) < 2]) as work:
        deep = pages.page(PROJECT, PageRequest(marker=marker, filters=filters))
        small = pages.page(SMALL, PageRequest(filters=filters))
    places = [item.id for item in deep.items]
    assert places == sorted(places, reverse=True)
    end = place if table == "audit" else f"xxx_{100000000000 + OLD // 2}"
    assert all(each[4:] < end[4:] for each in places)
    assert {item.project for item in small.items} <= {SMALL}
    assert work() < 2


def test_what_waits_is_counted_without_reading_what_has_ended(large: Store) -> None:
    with counted(large, MAX_BLOCKS[True]) as work:
        assert large.executions.backlog().open == {}
    assert work() < 1


def test_the_upgrade_says_how_long_it_takes_and_took(large: Store, said: list[str]) -> None:
    building, built = said[-2:]
    if large.database.is_sqlite:
        rows = f"{COUNT - 1} deliveries and {COUNT - 1} executions"
        assert f"{rows}: this takes about 2 s" in building
    else:
        assert re.match(r"Building 15 indexes over about \d+ rows", building)
    assert re.search(r"built; it took \d+ s", built)


def test_an_image_is_a_repository_alone_or_with_its_tag(large: Store) -> None:
    def found(image: str) -> list[str]:
        filters = {"image": image}
        return [
            each.id
            for each in large.executions.page(PROJECT, PageRequest(1000, None, filters)).items
        ]

    assert len(found("acme/old")) == 1000
    assert found("docker.io/acme/old:8001") == ["exe_100000008001"]
    assert (
        found("acme/old:latest") == found(f"acme/old@sha256:{'0' * 64}") == found("acme/none") == []
    )
    with pytest.raises(InvalidRequest, match="tag"):
        large.executions.page(PROJECT, PageRequest(filters={"tag": "8001"}))


def test_all_pages_together_are_the_whole_list(large: Store) -> None:
    found, marker = [], None
    filters = {"receiver": "rcv_7", "state": "succeeded"}
    while True:
        page = large.executions.page(PROJECT, PageRequest(400, marker, filters))
        found += [item.id for item in page.items]
        marker = page.next
        if marker is None:
            break
    wanted = [n for n in range(OLD + 1, COUNT + 1) if n % 200 == 7 and n % 199 and n != COUNT - 7]
    assert found == [f"exe_{100000000000 + n}" for n in reversed(wanted)]


def test_a_list_that_takes_too_long_is_ended_and_says_what_to_do(
    large: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "LIST_TIMEOUT", 0.05)
    monkeypatch.setattr(database_module, "_FOR_LISTS", "SET LOCAL statement_timeout = 50")
    slow = {
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT max(i) FROM n",
        "postgresql": "SELECT pg_sleep(60)",
    }
    with pytest.raises(ListTooLong, match="Leave out"), large.database.browse() as connection:
        connection.exec_driver_sql(slow[connection.dialect.name]).all()
    assert large.executions.page(PROJECT, PageRequest(limit=1)).items


@contextmanager
def counted(store: Store, max_blocks: int) -> Iterator[Callable[[], float]]:
    """Counts what the statements of the block make the database do, as a share of the bound."""
    work: list[float] = []
    statements: list[tuple[str, Any]] = []
    engine = store.database._readers

    def before(
        connection: Connection, cursor: Any, statement: str, values: Any, *_: object
    ) -> None:
        raw: Any = connection.connection.driver_connection
        if connection.dialect.name == "sqlite":
            raw.set_progress_handler(lambda: work.append(STEPS / MAX_STEPS), STEPS)
        elif statement.startswith("SELECT"):
            statements.append((statement, values))

    event.listen(engine, "before_cursor_execute", before)
    try:
        yield lambda: sum(work)
    finally:
        event.remove(engine, "before_cursor_execute", before)
        with store.database.browse() as connection:
            for statement, values in statements:
                plan = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
                found = connection.exec_driver_sql(plan, values).scalar_one()
                root = (found if isinstance(found, list) else json.loads(found))[0]["Plan"]
                blocks = root["Shared Hit Blocks"] + root["Shared Read Blocks"]
                work.append(blocks / max_blocks)
