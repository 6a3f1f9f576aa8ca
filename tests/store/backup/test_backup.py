"""A backup is whole and private, and nothing takes the database's place that does not fit."""

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.store.builders import accept, add_receiver, work
from tests.support import wait_for
from webhook_service.errors import InvalidConfig, SettingsError, StoreUnavailable
from webhook_service.settings import Settings
from webhook_service.store.backup.backup import back_up, put_back
from webhook_service.store.backup.sqlite_copy import checkpoint
from webhook_service.store.store import Store, open_store

PASSPHRASE = "a passphrase of the tests"


def settings_for(folder: Path) -> Settings:
    return Settings(database_url=f"sqlite:///{folder / 'hooks.db'}")


@contextmanager
def opened(settings: Settings) -> Iterator[Store]:
    with closing(open_store(settings)) as store:
        yield store


def names(folder: Path) -> list[str]:
    """The files there, without those that SQLite keeps beside others while it uses them."""
    return sorted(
        path.name for path in folder.iterdir() if path.suffix not in (".db-wal", ".db-shm")
    )


@pytest.fixture
def old(tmp_path: Path) -> Settings:
    """An installation with a receiver and an execution that has not ended."""
    settings = settings_for(tmp_path)
    with opened(settings) as store:
        accept(store, add_receiver(store)[0], work("1"))
    return settings


@pytest.fixture
def fresh(tmp_path: Path) -> Settings:
    """Another machine, on which nothing is."""
    (tmp_path / "fresh").mkdir()
    return settings_for(tmp_path / "fresh")


def test_a_backup_with_its_key_is_a_whole_installation_elsewhere(
    old: Settings, fresh: Settings, tmp_path: Path
) -> None:
    made = back_up(old, tmp_path / "copy.db", PASSPHRASE)
    assert made.key == tmp_path / "copy.db.key"
    done = put_back(fresh, made.file, PASSPHRASE)
    assert (done.replaced, done.open) == (None, 1)
    with opened(old) as before, opened(fresh) as after:
        [row] = before.receivers.targets()
        assert after.receivers.key(row.receiver) == before.receivers.key(row.receiver)
    for path in [*(tmp_path / "fresh").iterdir(), made.file, made.key]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_backup_made_under_load_is_sound_and_has_what_was_answered_before(
    old: Settings, tmp_path: Path
) -> None:
    with opened(old) as store:
        receiver, _ = add_receiver(store, name="loaded")
        done, stop = 0, threading.Event()

        def load() -> None:
            nonlocal done
            while not stop.is_set():
                accept(store, receiver, work(str(done)))
                done += 1

        sender = threading.Thread(target=load)
        sender.start()
        try:
            for number in range(5):
                before = done
                made = back_up(old, tmp_path / f"{number}.db").file
                with closing(sqlite3.connect(made)) as copy:
                    assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                    [count] = copy.execute("SELECT count(*) FROM deliveries").fetchone()
                assert before + 1 <= count <= done + 2
        finally:
            stop.set()
            sender.join()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_nothing_is_overwritten(old: Settings, tmp_path: Path) -> None:
    (tmp_path / "copy.db.key").write_text("mine")
    with pytest.raises(InvalidConfig, match="exists already"):
        back_up(old, tmp_path / "copy.db", PASSPHRASE)
    back_up(old, tmp_path / "other.db")
    with pytest.raises(InvalidConfig, match="exists already"):
        back_up(old, tmp_path / "other.db")
    with pytest.raises(InvalidConfig, match="--replace"):
        put_back(old, tmp_path / "other.db")


def test_a_restore_sets_aside_what_was_there(old: Settings, tmp_path: Path) -> None:
    made = back_up(old, tmp_path / "copy.db").file
    with opened(old) as store:
        later, _ = add_receiver(store, name="later")
    done = put_back(old, made, replace=True)
    assert done.replaced == tmp_path / "hooks.db.replaced-1"
    with closing(sqlite3.connect(done.replaced)) as aside:
        assert aside.execute("SELECT count(*) FROM receivers").fetchone() == (2,)
    with opened(old) as store:
        assert later not in [each.receiver for each in store.receivers.targets()]


def test_a_restore_under_a_running_service_is_refused(old: Settings, tmp_path: Path) -> None:
    made = back_up(old, tmp_path / "copy.db").file
    with opened(old) as store:
        add_receiver(store, name="later")
        with pytest.raises(StoreUnavailable, match="stop the service"):
            put_back(old, made, replace=True)
        assert len(store.receivers.targets()) == 2
    assert sorted(path.name for path in tmp_path.iterdir() if "rest" in path.name) == []


def damage(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:8192] + b"\xff" * 40_000)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda file: file.write_bytes(b"no database at all" * 500), "not a database"),
        (damage, "was not copied"),
        (lambda file: file.write_bytes(b""), "no tables"),
        (lambda file: file.unlink(), "no file"),
    ],
)
def test_a_bad_backup_changes_nothing(
    old: Settings, tmp_path: Path, spoil: Callable[[Path], object], says: str
) -> None:
    made = back_up(old, tmp_path / "copy.db").file
    spoil(made)
    before = names(tmp_path)
    with pytest.raises((InvalidConfig, StoreUnavailable), match=says):
        put_back(old, made, replace=True)
    with opened(old) as store:
        assert len(store.receivers.targets()) == 1
    assert names(tmp_path) == before


def test_a_backup_of_another_key_is_refused(old: Settings, fresh: Settings, tmp_path: Path) -> None:
    made = back_up(old, tmp_path / "copy.db").file
    with pytest.raises(InvalidConfig, match="secret key is not here"):
        put_back(fresh, made)
    with opened(fresh):
        pass
    with pytest.raises(SettingsError, match="does not open"):
        put_back(fresh, made, replace=True)


def test_the_key_is_locked_by_its_passphrase(
    old: Settings, fresh: Settings, tmp_path: Path
) -> None:
    with pytest.raises(InvalidConfig, match="at least 12"):
        back_up(old, tmp_path / "copy.db", "short")
    made = back_up(old, tmp_path / "copy.db", PASSPHRASE)
    assert made.key is not None
    assert (tmp_path / "hooks.key").read_text().strip() not in made.key.read_text()
    with pytest.raises(InvalidConfig, match="is locked"):
        put_back(fresh, made.file)
    with pytest.raises(InvalidConfig, match="does not open"):
        put_back(fresh, made.file, "another passphrase")
    made.key.write_text("{}")
    with pytest.raises(InvalidConfig, match="damaged"):
        put_back(fresh, made.file, PASSPHRASE)
    assert list((tmp_path / "fresh").iterdir()) == []


def test_postgresql_has_its_own_tools(tmp_path: Path) -> None:
    settings = Settings(database_url="postgresql://localhost/hooks")
    with pytest.raises(SettingsError, match="pg_dump"):
        back_up(settings, tmp_path / "copy")


@pytest.mark.parametrize("emptied", [True, False])
def test_an_empty_file_beside_a_key_is_no_new_installation(
    old: Settings, tmp_path: Path, emptied: bool
) -> None:
    for path in tmp_path.glob("hooks.db*"):
        path.unlink()
    if emptied:
        (tmp_path / "hooks.db").touch()
    for _ in range(2):
        with pytest.raises(SettingsError, match="restore FILE"):
            open_store(old)


def test_a_first_start_that_was_cut_off_can_be_tried_again(
    fresh: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as cut:
        cut.setattr("webhook_service.store.migrate._alembic", die)
        with pytest.raises(KeyboardInterrupt):
            open_store(fresh)
    with opened(fresh):
        pass


def test_a_plain_copy_of_the_file_has_all_that_was_stored_before_a_checkpoint(
    old: Settings, tmp_path: Path
) -> None:
    with opened(old) as store:
        accept(store, add_receiver(store, name="more")[0], work("1"))
        wait_for(lambda: checkpoint(tmp_path / "hooks.db"))
        assert os.stat(tmp_path / "hooks.db-wal").st_size == 0
        shutil.copy(tmp_path / "hooks.db", tmp_path / "plain.db")
    with closing(sqlite3.connect(tmp_path / "plain.db")) as copy:
        assert copy.execute("SELECT count(*) FROM deliveries").fetchone() == (2,)


def test_a_checkpoint_waits_for_nobody(old: Settings, tmp_path: Path) -> None:
    with opened(old) as store, closing(sqlite3.connect(tmp_path / "hooks.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM receivers").fetchone()
        add_receiver(store, name="more")
        assert not checkpoint(tmp_path / "hooks.db")
        add_receiver(store, name="and more")
