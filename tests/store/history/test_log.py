"""The log of deliveries on both databases: pages, search, and what moves."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from tests.support import PROJECT, add_receiver, make_service, push, wait_for_end
from webhook_service.errors import InvalidRequest
from webhook_service.model.history.delivery_log import LogQuery
from webhook_service.service import WebhookService
from webhook_service.store.history import log
from webhook_service.store.store import Store


@pytest.fixture
def service(store: Store, database_url: str, tmp_path: Path) -> Iterator[WebhookService]:
    with make_service(database_url) as running:
        yield running


@pytest.fixture
def pushed(service: WebhookService) -> list[str]:
    """Six deliveries, oldest first: tags 1.0.0 to 1.5.0."""
    _, key = add_receiver(service)
    made = [push(service, key, f"1.{minor}.0") for minor in range(6)]
    for delivery in made:
        wait_for_end(service, delivery.executions[0])
    return [delivery.id for delivery in made]


def ids(service: WebhookService, **asked: str) -> list[str]:
    page = service.overview.log(PROJECT, LogQuery(**asked))
    return [entry.delivery.id for entry in page.entries]


def test_each_delivery_comes_with_what_came_of_it(
    service: WebhookService, pushed: list[str]
) -> None:
    page = service.overview.log(PROJECT, LogQuery())
    assert [entry.delivery.id for entry in page.entries] == pushed[::-1]
    assert all(entry.executions[0].delivery == entry.delivery.id for entry in page.entries)
    assert service.overview.log("other", LogQuery()).entries == ()


def test_it_is_searched_by_image_tag_and_id(service: WebhookService, pushed: list[str]) -> None:
    assert ids(service, text="acme/shop:1.3") == [pushed[3]]
    assert ids(service, text="1.3.0") == [pushed[3]]
    assert ids(service, text=pushed[2]) == [pushed[2]]
    execution = service.get_delivery(PROJECT, pushed[4]).executions[0]
    assert ids(service, text=execution) == [pushed[4]]
    assert ids(service, text="100%") == ids(service, text="_") == ids(service, text="state") == []
    assert ids(service, state="ignored") == []


def test_pages_go_on_where_the_last_one_ended(
    service: WebhookService, pushed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = service.store.log.page(PROJECT, LogQuery(), limit=4)
    assert first.next is not None and first.searched is None
    second = service.store.log.page(PROJECT, LogQuery(marker=first.next), limit=4)
    found = [entry.delivery.id for page in (first, second) for entry in page.entries]
    assert found == pushed[::-1] and second.next is None


def test_a_search_looks_at_so_many_calls_and_goes_on_when_asked(
    service: WebhookService, pushed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "LOG_WINDOW", 2)
    found, marker, pages = [], "", 0
    while True:
        page = service.overview.log(PROJECT, LogQuery(text="1.1.0", marker=marker))
        found += [entry.delivery.id for entry in page.entries]
        pages += 1
        if page.next is None:
            break
        assert page.searched == 2
        marker = page.next
    assert (found, pages) == ([pushed[1]], 4)


def test_a_marker_of_another_project_is_none(service: WebhookService, pushed: list[str]) -> None:
    marker = service.store.log.page(PROJECT, LogQuery(), limit=2).next
    assert marker is not None
    with pytest.raises(InvalidRequest):
        service.overview.log("other", LogQuery(marker=marker))


def test_what_is_newer_than_a_delivery_is_found_oldest_first(
    service: WebhookService, pushed: list[str]
) -> None:
    newer = service.overview.newer(PROJECT, pushed[3])
    assert [entry.delivery.id for entry in newer] == pushed[4:]
    assert service.overview.newer("other", None) == []
    assert [entry.delivery.id for entry in service.overview.newer(PROJECT, None)] == pushed


def test_what_came_of_a_page_is_found_by_its_deliveries_alone(
    service: WebhookService, pushed: list[str]
) -> None:
    """Not by the project, as SQLite would have it: that reads as much as the project has."""
    database, asked, here = service.store.database, [], threading.get_ident()

    def keep(conn: Any, cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if threading.get_ident() == here:  # the engine asks as well
            asked.append((statement, values))

    event.listen(Engine, "before_cursor_execute", keep)
    service.overview.log(PROJECT, LogQuery())
    event.remove(Engine, "before_cursor_execute", keep)
    ((statement, values),) = [each for each in asked if "FROM executions" in each[0]]
    assert "executions.project =" not in statement
    if database.is_sqlite:
        with database.read() as connection:
            plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all())
        assert "ix_executions_delivery" in plan and "ix_executions_project_seq" not in plan
