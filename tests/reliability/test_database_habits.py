"""What databases are set to and what is done beside them, while each push still runs once.

Each of these was a report about some other durable queue.
"""

import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import (
    AbstractContextManager,
    ExitStack,
    closing,
    contextmanager,
    nullcontext,
    suppress,
)
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection

from tests.reliability.sender import Sender, again_and_again, assert_each_ran_once, migrated, taken
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import Postgres, programs
from tests.support import (
    PROJECT,
    add_receiver,
    make_service,
    push,
    sqlite_url,
    wait_for,
    wait_for_end,
)
from webhook_service.driver.events import PushEvent
from webhook_service.errors import StoreUnavailable
from webhook_service.model.execution import Execution
from webhook_service.service import WebhookService
from webhook_service.store import migrate
from webhook_service.store.database import database, watchdog, write
from webhook_service.store.database.database import Database

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PUSHES = 40

Harm = Callable[[Postgres, str], AbstractContextManager[object]]


def name_of(url: str) -> str:
    return url.rpartition("/")[2]


def file_of(url: str) -> str:
    return url.removeprefix("sqlite:///")


def taken_beside(url: str, harm: AbstractContextManager[object], pushes: int = PUSHES) -> int:
    """Send pushes while the harm goes on; how many were taken, each of which ran once."""
    with make_service(url) as service:
        sender = Sender(service, pushes)
        with harm:
            sender.thread.start()
            sender.thread.join(120)
        assert_each_ran_once(service, sender.taken)
        return len(sender.taken)


@pytest.mark.postgres
@pytest.mark.parametrize(
    "setting",
    [
        "timezone = 'Asia/Kolkata'",
        "default_transaction_isolation = serializable",
        "idle_in_transaction_session_timeout = 1000",
        "lock_timeout = 500",
        "search_path = hooks",
    ],
)
def test_settings_of_the_database_do_no_harm(postgres: Postgres, setting: str) -> None:
    url = postgres.new_database()
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE SCHEMA hooks")
    postgres.execute(f"ALTER DATABASE {name_of(url)} SET {setting}")
    migrated(url)
    assert taken_beside(url, nullcontext()) == PUSHES


@pytest.mark.postgres
def test_a_database_in_latin1_keeps_what_it_can_write(postgres: Postgres) -> None:
    url = postgres.new_database("ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    migrated(url)
    assert taken_beside(url, nullcontext()) == PUSHES


def terminated(postgres: Postgres, url: str) -> AbstractContextManager[object]:
    end = f"""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = '{name_of(url)}'"""
    return again_and_again(lambda: postgres.execute(end), 0.4)


def cancelled(postgres: Postgres, url: str) -> AbstractContextManager[object]:
    end = f"""SELECT pg_cancel_backend(pid) FROM pg_stat_activity
        WHERE datname = '{name_of(url)}'"""
    return again_and_again(lambda: postgres.execute(end), 0.02)


@contextmanager
def dumped(_: Postgres, url: str) -> Iterator[None]:
    """A whole copy is made, again and again."""
    plain = url.replace("+psycopg", "")
    command = [programs() / "pg_dump", "--file=/dev/null", plain]
    with again_and_again(lambda: subprocess.run(command, check=True, timeout=60), 0.1):
        yield


@contextmanager
def vacuumed(_: Postgres, url: str) -> Iterator[None]:
    """All tables are written anew and frozen, and their indexes too, again and again."""
    plain = url.replace("+psycopg", "")
    with psycopg.connect(plain, autocommit=True) as connection:

        def vacuum() -> None:
            with suppress(psycopg.errors.DeadlockDetected):
                connection.execute("VACUUM (FULL, FREEZE, ANALYZE)")

        with again_and_again(vacuum, 0.2):
            yield


@contextmanager
def watched(_: Postgres, url: str) -> Iterator[None]:
    """A reader keeps its snapshot, so that nothing that was deleted is cleared away."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT count(*) FROM executions")
        yield


@contextmanager
def read_only_at_times(postgres: Postgres, _: str) -> Iterator[None]:
    """An administrator forbids writing on the whole server, twice, and allows it again."""
    ended = threading.Event()

    def switch() -> None:
        for mode in ("on", "off", "on", "off"):
            postgres.execute(f"ALTER SYSTEM SET default_transaction_read_only = {mode}")
            postgres.execute("SELECT pg_reload_conf()")
            ended.wait(0.5)

    thread = threading.Thread(target=switch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(60)
        postgres.execute("ALTER SYSTEM RESET default_transaction_read_only")
        postgres.execute("SELECT pg_reload_conf()")


@pytest.mark.postgres
@pytest.mark.parametrize(
    "harm", [terminated, cancelled, dumped, vacuumed, watched, read_only_at_times]
)
def test_what_administrators_do_beside_it_does_no_harm(harm: Harm) -> None:
    with Postgres(fsync=False) as own:
        url = own.new_database()
        migrated(url)
        assert taken_beside(url, harm(own, url)) == PUSHES


@pytest.mark.postgres
@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_what_is_done_to_a_pooler_loses_nothing(postgres: Postgres, mode: str) -> None:
    url = postgres.new_database()
    migrated(url)
    with PgBouncer(url, mode) as pooler:

        def harm() -> None:
            for command in ("KILL", "RESUME", "PAUSE", "RESUME"):
                pooler.control(f"{command} {name_of(url)}")
                time.sleep(0.5)

        word = "?pooler=transaction" if mode == "transaction" else ""
        with ThreadPoolExecutor(1) as pool:
            assert taken_beside(pooler.url + word, _beside(pool, harm)) == PUSHES


@contextmanager
def _beside(pool: ThreadPoolExecutor, harm: Callable[[], None]) -> Iterator[None]:
    done = pool.submit(harm)
    yield
    done.result(60)


@pytest.mark.postgres
def test_a_role_with_three_connections_is_slow_and_loses_nothing(postgres: Postgres) -> None:
    url = postgres.new_database()
    migrated(url)
    role = f"few_{name_of(url)}"
    postgres.execute(f"CREATE ROLE {role} LOGIN SUPERUSER CONNECTION LIMIT 3")
    postgres.execute(f"ALTER ROLE {role} NOSUPERUSER")
    postgres.execute(f"GRANT pg_read_all_data, pg_write_all_data TO {role}")
    assert taken_beside(url.replace("postgres@", f"{role}@"), nullcontext(), 30) == 30


@pytest.mark.postgres
def test_four_migrations_at_once_make_one_schema(postgres: Postgres) -> None:
    url = postgres.new_database()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrated, [url] * 4))
    with closing(Database(url)) as opened:
        assert migrate.current_revision(opened) == migrate.HEAD
    assert taken_beside(url, nullcontext(), 10) == 10


def test_a_lock_of_another_tool_on_the_file_is_waited_for(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    migrated(url)
    with make_service(url) as service:
        _, key = add_receiver(service)
        with closing(sqlite3.connect(file_of(url), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with ThreadPoolExecutor(1) as pool:
                waiting = pool.submit(push, service, key)
                time.sleep(1)
                assert not waiting.done()
                other.execute("ROLLBACK")
                made = waiting.result(60)
        assert_each_ran_once(service, list(made.executions))


def test_a_reader_that_stays_for_long_does_no_harm(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    migrated(url)
    with closing(sqlite3.connect(file_of(url), isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM executions").fetchall()
        assert taken_beside(url, nullcontext(), 100) == 100


def test_a_journal_that_another_tool_changed_is_set_back_at_the_start(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    migrated(url)
    file = file_of(url)
    with closing(sqlite3.connect(file)) as other:
        assert other.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
    assert taken_beside(url, nullcontext()) == PUSHES
    with closing(sqlite3.connect(file)) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("names", [[""], ["", "-wal", "-shm"]], ids=["file", "all three"])
def test_nothing_is_accepted_into_a_file_that_was_deleted(tmp_path: Path, names: list[str]) -> None:
    url = sqlite_url(tmp_path)
    migrated(url)
    with make_service(url) as service:
        _, key = add_receiver(service)
        push(service, key)
        for name in names:
            Path(file_of(url) + name).unlink()
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                push(service, key, "2")
        with pytest.raises(StoreUnavailable):
            service.ping()
    assert not Path(file_of(url)).exists()


def test_a_file_that_is_put_back_serves_again(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    migrated(url)
    file, aside = Path(file_of(url)), tmp_path / "aside"
    with make_service(url) as service:
        _, key = add_receiver(service)
        file.rename(aside)
        with pytest.raises(StoreUnavailable):
            push(service, key)
        aside.rename(file)
        made = wait_for(lambda: taken(service, key))
        assert_each_ran_once(service, list(made))


@pytest.mark.parametrize("names", [["-wal"], ["-wal", "-shm"]], ids=["log", "log and index"])
def test_what_is_accepted_after_the_log_was_deleted_outlives_a_crash(
    tmp_path: Path, names: list[str]
) -> None:
    url = sqlite_url(tmp_path)
    migrated(url)
    with make_service(url, run=False) as service:
        _, key = add_receiver(service)
        made = [push(service, key, "1").id]
        for name in names:
            Path(file_of(url) + name).unlink()
        made += [push(service, key, tag).id for tag in "23"]
        assert [service.get_delivery(PROJECT, each).id for each in made] == made
        # All that a crash of the machine leaves is what has a name.
        copy = tmp_path / "after"
        copy.mkdir()
        for file in tmp_path.glob("*.db*"):
            shutil.copy(file, copy / file.name)
        with make_service(sqlite_url(copy), run=False) as after:
            assert [after.get_delivery(PROJECT, each).id for each in made] == made
            with closing(sqlite3.connect(file_of(sqlite_url(copy)))) as other:
                assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_while_a_query_needs_the_deleted_log_nothing_is_accepted_and_nothing_is_lost(
    tmp_path: Path,
) -> None:
    url = sqlite_url(tmp_path)
    migrated(url)
    with make_service(url, run=False) as service:
        _, key = add_receiver(service)
        first = push(service, key, "1").id
        with service.store.database.read() as reading:
            reading.exec_driver_sql("BEGIN")
            reading.exec_driver_sql("SELECT count(*) FROM deliveries").fetchall()
            Path(file_of(url) + "-wal").unlink()
            with pytest.raises(StoreUnavailable):
                push(service, key, "2")
            found = reading.exec_driver_sql("SELECT id FROM deliveries").scalars().all()
            assert found == [first]
            reading.exec_driver_sql("ROLLBACK")
        assert wait_for(lambda: taken(service, key))
        assert len(service.list_deliveries(PROJECT).items) == 2
        service.ping()


def test_two_services_on_one_file_survive_its_deleted_log(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    migrated(url)
    with make_service(url, run=False) as one, make_service(url, run=False) as two:
        _, key = add_receiver(one)
        made = [push(one, key, "1").id, push(two, key, "2").id]
        Path(file_of(url) + "-wal").unlink()
        for number in range(20):
            with suppress(StoreUnavailable):
                made.append(push((one, two)[number % 2], key, f"3.{number}").id)
        assert len(made) > 10
        for service in (one, two):
            assert [service.get_delivery(PROJECT, each).id for each in made] == made
    with closing(sqlite3.connect(file_of(url))) as other:
        assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("services", [1, 2])
def test_what_was_accepted_before_the_file_was_replaced_is_in_the_old_and_the_rest_in_the_new(
    tmp_path: Path, services: int
) -> None:
    url = sqlite_url(tmp_path)
    migrated(url)
    file, older, aside = Path(file_of(url)), tmp_path / "older", tmp_path / "aside"
    with ExitStack() as stack:
        opened = [stack.enter_context(make_service(url, run=False)) for _ in range(services)]
        _, key = add_receiver(opened[0])
        kept = [push(opened[0], key, f"1.{number}").id for number in range(30)]
        with closing(sqlite3.connect(file)) as other:
            other.execute(f"VACUUM INTO '{older}'")
        before = [push(opened[n % services], key, f"2.{n}").id for n in range(60)]
        store = opened[0].store.database
        with store.read() as first, store.read() as second:  # both are kept open
            for reading in (first, second):
                reading.exec_driver_sql("SELECT count(*) FROM deliveries").fetchall()
        file.rename(aside)
        older.rename(file)
        for each in opened:
            each.store.database.write(_nothing)
        assert not _is_open(aside)
        after: list[str] = []
        for number in range(20):
            with suppress(StoreUnavailable):
                after.append(push(opened[number % services], key, f"3.{number}").id)
        assert len(after) > 10
        # All that a crash leaves is what has a name.
        copy = tmp_path / "after"
        copy.mkdir()
        for part in tmp_path.glob("*.db*"):
            shutil.copy(part, copy / part.name)
        assert _deliveries(copy / file.name) == {*kept, *after}
        assert _deliveries(aside) == {*kept, *before}


@pytest.mark.parametrize(
    ("begin", "end"),
    [("BEGIN", "ROLLBACK"), ("SELECT 1", "SELECT 1")],
    ids=["in a query", "between queries"],
)
def test_while_somebody_reads_the_replaced_file_nothing_is_accepted_and_nothing_is_lost(
    tmp_path: Path, begin: str, end: str
) -> None:
    url = sqlite_url(tmp_path)
    migrated(url)
    file, older, aside = Path(file_of(url)), tmp_path / "older", tmp_path / "aside"
    with make_service(url, run=False) as service:
        _, key = add_receiver(service)
        with closing(sqlite3.connect(file)) as other:
            other.execute(f"VACUUM INTO '{older}'")
        first = push(service, key, "1").id
        with service.store.database.read() as reading:
            reading.exec_driver_sql(begin).close()
            reading.exec_driver_sql("SELECT count(*) FROM deliveries").fetchall()
            file.rename(aside)
            older.rename(file)
            with pytest.raises(StoreUnavailable):
                service.store.database.write(_nothing)
            found = reading.exec_driver_sql("SELECT id FROM deliveries").scalars().all()
            assert found == [first]
            reading.exec_driver_sql(end)
        assert wait_for(lambda: taken(service, key))
        service.ping()
    assert _deliveries(aside) == {first}
    assert len(_deliveries(file)) == 1


def test_a_reader_opens_no_replaced_file_before_the_writer_has_left_the_old_one(
    tmp_path: Path,
) -> None:
    url = sqlite_url(tmp_path)
    migrated(url)
    file, older = Path(file_of(url)), tmp_path / "older"
    with make_service(url, run=False) as service:
        _, key = add_receiver(service)
        with closing(sqlite3.connect(file)) as other:
            other.execute(f"VACUUM INTO '{older}'")
        made = {push(service, key, str(number)).id for number in range(30)}
        file.rename(tmp_path / "aside")
        older.rename(file)
        with service.store.database.read() as first, suppress(StoreUnavailable):
            first.exec_driver_sql("SELECT count(*) FROM deliveries").fetchall()
            with service.store.database.read() as second:
                second.exec_driver_sql("SELECT count(*) FROM deliveries").fetchall()
        assert wait_for(lambda: taken(service, key))
    assert _deliveries(tmp_path / "aside") == made
    assert len(_deliveries(file)) == 1


def test_a_file_that_was_moved_away_is_complete(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    migrated(url)
    with make_service(url, run=False) as service:
        _, key = add_receiver(service)
        made = {push(service, key, str(number)).id for number in range(30)}
        Path(file_of(url)).rename(tmp_path / "aside")
        with pytest.raises(StoreUnavailable):
            push(service, key, "last")
        assert _deliveries(tmp_path / "aside") == made


def test_a_folder_that_is_moved_away_and_back_serves_again(tmp_path: Path) -> None:
    folder, aside = tmp_path / "data", tmp_path / "aside"
    folder.mkdir()
    url = sqlite_url(folder)
    migrated(url)
    with make_service(url, run=False) as service:
        _, key = add_receiver(service)
        made = {push(service, key, str(number)).id for number in range(30)}
        folder.rename(aside)
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                push(service, key, "last")
        aside.rename(folder)
        assert wait_for(lambda: taken(service, key))
        service.ping()
    found = _deliveries(Path(file_of(url)))
    assert made < found
    assert len(found) == len(made) + 1


def _nothing(_: Connection) -> None:
    """A write that changes nothing."""


def _is_open(file: Path) -> bool:
    """Whether this process has a file open."""
    return any(each.resolve() == file for each in Path("/proc/self/fd").iterdir())


def _deliveries(file: Path) -> set[str]:
    """What a sound database holds."""
    with closing(sqlite3.connect(file)) as other:
        assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {row[0] for row in other.execute("SELECT id FROM deliveries")}


def test_two_services_on_one_file_run_each_push_once(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    migrated(url)
    with make_service(url) as one, make_service(url) as two:
        senders = [Sender(service, PUSHES, name) for service, name in ((one, "a"), (two, "b"))]
        for sender in senders:
            sender.thread.start()
        for sender in senders:
            sender.thread.join(120)
        taken = [each for sender in senders for each in sender.taken]
        assert len(taken) == 2 * PUSHES
        assert_each_ran_once(one, taken, two)


@pytest.mark.postgres
def test_a_lock_that_ends_in_time_is_waited_for(postgres: Postgres) -> None:
    url = postgres.new_database()
    migrated(url)
    with make_service(url) as service:
        _, key = add_receiver(service)
        with psycopg.connect(url.replace("+psycopg", "")) as other:
            other.execute("LOCK TABLE executions IN ACCESS EXCLUSIVE MODE")
            with ThreadPoolExecutor(1) as pool:
                waiting = pool.submit(push, service, key)
                time.sleep(1)
                assert not waiting.done()
                other.rollback()
                made = waiting.result(60)
        assert_each_ran_once(service, list(made.executions))


@pytest.mark.postgres
def test_while_a_synchronous_standby_is_gone_nobody_is_told_that_nothing_was_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(write, "WRITE_TIMEOUT", 2.0)
    monkeypatch.setattr(database, "GROUP_TIMEOUT", 4.0)
    monkeypatch.setattr(watchdog, "LOOK_SECONDS", 0.1)
    with Postgres(fsync=False) as own:
        url = own.new_database()
        migrated(url)
        with make_service(url) as service:
            _, key = add_receiver(service)
            own.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
            own.execute("SELECT pg_reload_conf()")
            told = {str(number): _answer(service, key, str(number)) for number in range(2)}
            own.execute("ALTER SYSTEM RESET synchronous_standby_names")
            own.execute("SELECT pg_reload_conf()")
            made = wait_for(lambda: taken(service, key))
            wait_for_end(service, made[0], 60)
            kept = {_tag(each) for each in service.list_executions(PROJECT).items}
    refused = {tag: answer for tag, answer in told.items() if "nothing was stored" in answer}
    assert not kept & refused.keys(), refused
    assert any("send it again to be sure" in answer for answer in told.values())


def _tag(execution: Execution) -> str | None:
    assert isinstance(execution.event, PushEvent)
    return execution.event.tag


def _answer(service: WebhookService, key: str, tag: str) -> str:
    try:
        push(service, key, tag)
    except StoreUnavailable as exc:
        return exc.message
    return "accepted"


@pytest.mark.postgres
def test_a_database_that_is_made_anew_serves_again_after_a_migration(postgres: Postgres) -> None:
    url = postgres.new_database()
    migrated(url)
    with make_service(url) as service:
        _, key = add_receiver(service)
        name = name_of(url)
        postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")
        with pytest.raises(StoreUnavailable):
            push(service, key, "2")
        postgres.execute(f"CREATE DATABASE {name}")
        migrated(url)
        _, key = wait_for(lambda: add_receiver(service))
        made = push(service, key, "3").executions
        assert_each_ran_once(service, list(made))
