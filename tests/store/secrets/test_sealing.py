import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from webhook_service.errors import SettingsError
from webhook_service.settings import load_settings
from webhook_service.store.secrets.sealing import (
    Sealer,
    read_or_make_key,
    split_keys,
    warn_if_open,
)
from webhook_service.store.store import open_store

OLD, NEW = "the old secret key", "the new secret key"


def test_a_sealed_secret_opens_again() -> None:
    assert Sealer([OLD]).open("r", Sealer([OLD]).seal("r", "whk_1")) == "whk_1"


def test_a_rotated_key_still_opens_what_the_old_one_sealed() -> None:
    sealed = Sealer([OLD]).seal("r", "whk_1")
    assert Sealer([NEW, OLD]).open("r", sealed) == "whk_1"
    with pytest.raises(SettingsError, match="Set it again, behind a comma"):
        Sealer([NEW]).open("r", sealed)


def test_a_short_or_missing_key_is_refused() -> None:
    for keys in ([], ["short"], [OLD, "short"]):
        with pytest.raises(SettingsError, match="16 characters"):
            Sealer(keys)


def test_keys_are_separated_by_commas_or_lines() -> None:
    assert split_keys(f"{NEW},{OLD}\n") == [NEW, OLD]
    assert split_keys(f"{NEW}\n{OLD}") == [NEW, OLD]


def test_a_made_key_is_its_owners_alone_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "a.key"
    first = read_or_make_key(path)
    assert read_or_make_key(path) == first
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    settings = load_settings(
        database_url=f"sqlite:///{tmp_path / 'x.db'}", secret_key_file=tmp_path / "none"
    )
    with pytest.raises(SettingsError, match="SECRET_KEY_FILE"):
        open_store(settings)


@pytest.mark.parametrize("own", [False, True], ids=["the service's own", "a setting's"])
@pytest.mark.parametrize("content", [b"", b"\n", b"short\n", b"\xff\xfe" * 20, b"k" * 20 + b"\nx"])
def test_a_key_file_without_a_key_is_named_and_says_what_to_do(
    tmp_path: Path, content: bytes, own: bool
) -> None:
    file = tmp_path / "service.key"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=f"{file} (must have a key|cannot be read)"):
        if own:
            read_or_make_key(file)
        else:
            settings = {"database_url": f"sqlite:///{tmp_path / 'x.db'}", "secret_key_file": file}
            open_store(load_settings(**settings))


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_all_files_of_a_new_database_are_its_owners_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(load_settings(database_url=f"sqlite:///{tmp_path / 'x.db'}"))
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("x.db", "x.db-wal", "x.db-shm", "x.key"), 0o600)
    store.close()
    assert caplog.text == ""


@pytest.mark.parametrize("name", ["x.db", "x.db-wal", "x.key", "own.key"])
def test_a_file_that_others_can_read_is_named_at_the_start(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    (tmp_path / "own.key").write_text(OLD)
    (tmp_path / "own.key").chmod(0o600)
    kept = open_store(load_settings(database_url=url))
    # SQLite gives an empty log the mode of its database.
    kept.database.write(lambda connection: connection.exec_driver_sql("CREATE TABLE t (n INT)"))
    (tmp_path / name).chmod(0o640)
    own = {"secret_key_file": tmp_path / name} if name == "own.key" else {}
    open_store(load_settings(database_url=url, **own)).close()
    kept.close()
    (record,) = caplog.records
    said = record.getMessage()
    assert f"read {tmp_path / name} (mode 640): run 'chmod go= {tmp_path / name}'" in said
    assert ("mounted Secret" in said) == (name == "own.key")


def test_a_database_that_others_can_read_is_told_once_with_one_command(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = [tmp_path / "x.db", tmp_path / "x.db-wal"]
    for path in paths:
        path.touch(mode=0o644)
        path.chmod(0o644)
    warn_if_open(paths)
    (record,) = caplog.records
    assert f"run 'chmod go= {paths[0]} {paths[1]}'." in record.getMessage()


def test_processes_that_start_at_once_use_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(read_or_make_key, [tmp_path / "a.key"] * 8))
    assert len({tuple(keys) for keys in found}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.key"]


def test_a_signature_holds_for_one_text_and_while_its_key_is_set() -> None:
    old, new, both = Sealer([OLD]), Sealer([NEW]), Sealer([NEW, OLD])
    signature = old.sign("a")
    assert len(signature) == 43
    assert [each.is_signed("a", signature) for each in (old, both, new)] == [True, True, False]
    assert not old.is_signed("b", signature) and not old.is_signed("a", "é")
    # No key does two jobs: what is signed is not made by the key that seals.
    assert both.sign("a") == new.sign("a") != signature
