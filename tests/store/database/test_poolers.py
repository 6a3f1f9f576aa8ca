"""PostgreSQL behind pgbouncer: session mode as it is, transaction mode by a word in the URL."""

from collections.abc import Iterator

import pytest

from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import Postgres
from tests.support import PROJECT, SECRET, add_receiver, push, wait_for
from webhook_service.errors import SettingsError
from webhook_service.model.execution import ExecutionState
from webhook_service.service import WebhookService
from webhook_service.settings import Settings
from webhook_service.store import migrate
from webhook_service.store.database.database import Database
from webhook_service.testing.stub import StubDriver

PUSHES = 60


@pytest.fixture(params=["session", "transaction"])
def pooled(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[tuple[str, str]]:
    """A URL as it must be written, and the mode."""
    mode = request.param
    with PgBouncer(postgres.new_database(), mode, size=40 if mode == "session" else 3) as pool:
        yield pool.url + ("?pooler=transaction" if mode == "transaction" else ""), mode


def opened(url: str) -> WebhookService:
    service = WebhookService.open(Settings(database_url=url, secret_key=SECRET))
    service.drivers.add("stub", StubDriver)
    return service


def test_two_hosts_behind_a_pooler_run_each_push_once(pooled: tuple[str, str]) -> None:
    url, _ = pooled
    database = Database(url)
    migrate.upgrade(database)
    database.close()
    with opened(url) as one, opened(url) as two:
        keys = [add_receiver(one, name=f"shop {number}")[1] for number in range(6)]
        made = [
            push((one, two)[number % 2], keys[number % 6], str(number)).executions[0]
            for number in range(PUSHES)
        ]
        wait_for(lambda: not one.backlog().open)
        states = [two.get_execution(PROJECT, each).state for each in made]
        calls = [call for each in (one, two) for call in stub(each).calls]
    assert {*states} <= {"succeeded", "superseded"}
    assert (
        len(calls)
        == states.count(ExecutionState.SUCCEEDED)
        == len({call.event.tag for call in calls})
    )


def stub(service: WebhookService) -> StubDriver:
    found = service.drivers.get("stub")
    assert isinstance(found, StubDriver)
    return found


def test_statements_are_bounded_behind_a_pooler(pooled: tuple[str, str]) -> None:
    database = Database(pooled[0])
    with database.read() as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar_one() == "10s"
    assert database.write(shown) == "10s"
    database.close()


def shown(connection: object) -> str:
    return str(connection.exec_driver_sql("SHOW statement_timeout").scalar_one())  # type: ignore[attr-defined]


def test_a_pooler_that_lends_connections_must_be_named(postgres: Postgres) -> None:
    with PgBouncer(postgres.new_database(), "transaction") as pool:
        database = Database(pool.url)
        with pytest.raises(SettingsError, match="add pooler=transaction to the query"):
            database.require_fitting_url()
        database.close()


@pytest.mark.parametrize("query", ["", "?pooler=transaction"])
def test_without_a_pooler_any_url_fits(postgres: Postgres, query: str) -> None:
    database = Database(postgres.new_database() + query)
    database.require_fitting_url()
    assert database.write(shown) == "10s"
    database.close()
