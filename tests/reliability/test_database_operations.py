"""What operators do to the database: what was answered runs once, the rest is refused."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.reliability.sender import Sender, assert_each_ran_once, migrated, taken
from tests.servers.postgres import Postgres
from tests.servers.proxy import Proxy
from tests.support import (
    PROJECT,
    add_receiver,
    make_service,
    push,
    sqlite_url,
    stub_of,
    wait_for,
    wait_for_end,
)
from webhook_service.errors import StoreUnavailable
from webhook_service.store.database import database as module
from webhook_service.store.database import dialects, watchdog, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.postgres]
PUSHES = 500
BACK_IN = 5.0


def test_a_switchover_under_load_loses_nothing_and_is_over_in_seconds() -> None:
    with Postgres() as one:
        migrated(one.url)
        with Postgres(primary=one) as two, Proxy(one.port) as address:
            url = f"postgresql://postgres@127.0.0.1:{address.port}/postgres"
            with make_service(url) as service:
                sender = Sender(service, PUSHES)
                sender.thread.start()
                wait_for(lambda: len(sender.taken) >= PUSHES // 4)
                one.stop()  # it hands all that it has to the standby before it ends
                two.execute("SELECT pg_promote()")
                one.follow(two)
                one.start()
                address.lead_to(two.port)
                flipped = time.monotonic()
                sender.thread.join(120)
                after = [moment for moment in sender.moments if moment > flipped]
                assert len(sender.taken) == PUSHES
                assert after[0] - flipped < BACK_IN
                assert_each_ran_once(service, sender.taken)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """All bounds are shorter by the same factor, so that a lock of 20 seconds is one of four."""
    monkeypatch.setattr(write, "WRITE_TIMEOUT", 3.0)
    monkeypatch.setattr(module, "GROUP_TIMEOUT", 4.0)
    monkeypatch.setattr(dialects, "STATEMENT_TIMEOUT", 2.0)
    monkeypatch.setattr(dialects, "BUSY_TIMEOUT", 1.0)
    monkeypatch.setattr(watchdog, "LOOK_SECONDS", 0.1)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    postgres: Postgres = request.getfixturevalue("postgres")
    url = sqlite_url(tmp_path) if request.param == "sqlite" else postgres.new_database()
    migrated(url)
    return url


def lock(url: str) -> Callable[[], None]:
    """Lock a database as another tool does; gives what ends that."""
    if url.startswith("sqlite"):
        file = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        file.execute("BEGIN IMMEDIATE")
        return file.close
    connection = psycopg.connect(url.replace("+psycopg", ""))
    connection.execute("LOCK TABLE executions, receivers IN ACCESS EXCLUSIVE MODE")
    return connection.close


@pytest.mark.usefixtures("short")
def test_a_lock_that_outlasts_callers_stores_nothing_of_theirs_and_leaves_no_work_to_nobody(
    database_url: str,
) -> None:
    with make_service(database_url) as service:
        _, key = add_receiver(service)
        first = push(service, key, "1").executions[0]
        wait_for_end(service, first)
        unlock = lock(database_url)
        began = time.monotonic()
        while time.monotonic() - began < 4:
            with pytest.raises(StoreUnavailable):
                push(service, key, "refused")
        unlock()
        wait_for(lambda: taken(service, key), BACK_IN)
        wait_for(lambda: not service.backlog().open, 10)
        tags = [call.event.tag for call in stub_of(service).calls]
        kept = [
            service.get_execution(PROJECT, each.id)
            for each in service.list_executions(PROJECT).items
        ]
    assert tags == ["1", "2"]
    assert [len(execution.attempts) for execution in kept] == [1, 1]


@pytest.mark.usefixtures("short")
def test_a_line_that_a_firewall_forgot_is_left_without_a_restart(postgres: Postgres) -> None:
    direct = postgres.new_database()
    migrated(direct)
    with Proxy(postgres.port) as line:
        with make_service(direct.replace(f":{postgres.port}/", f":{line.port}/")) as service:
            sender = Sender(service, 100)
            sender.thread.start()
            wait_for(lambda: len(sender.taken) >= 30)
            line.forget()
            sender.thread.join(120)
            assert len(sender.taken) == 100
            assert_each_ran_once(service, sender.taken)
