import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from webhook_service.errors import StoreUnavailable
from webhook_service.store.backup.sqlite_copy import copy_whole

ROWS = 5000
PAGE = 4096


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A database of many pages, in the journal mode of a service."""
    path = tmp_path / "source.db"
    with closing(sqlite3.connect(path)) as made:
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, word TEXT)")
        made.executemany("INSERT INTO t VALUES (?, ?)", ((n, "x" * 100) for n in range(ROWS)))
        made.commit()
    return path


def test_a_copy_needs_no_file_beside_it(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copies" / "copy.db"
    copy.parent.mkdir()
    copy_whole(source, copy)
    with closing(sqlite3.connect(f"{copy.as_uri()}?mode=ro", uri=True)) as made:
        assert made.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert made.execute("SELECT count(*) FROM t").fetchone() == (ROWS,)
        assert list(copy.parent.iterdir()) == [copy]


def test_a_damaged_database_is_not_copied_and_the_message_says_so(
    source: Path, tmp_path: Path
) -> None:
    with source.open("r+b") as file:
        file.seek(20 * PAGE)
        file.write(b"\xff" * PAGE)
    copy = tmp_path / "copies" / "copy.db"
    copy.parent.mkdir()
    with pytest.raises(StoreUnavailable, match="was not copied"):
        copy_whole(source, copy)
    assert list(copy.parent.iterdir()) == []
