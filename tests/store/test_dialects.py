from pathlib import Path

import pytest

from webhook_service.errors import SettingsError
from webhook_service.store.dialects import parse_url, sqlite_file


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:///here.db", "sqlite+pysqlite"),
        ("postgresql://u@h/d", "postgresql+psycopg"),
        ("postgresql+psycopg2://u@h/d", "postgresql+psycopg"),
    ],
)
def test_a_url_names_the_database_not_the_library(url: str, driver: str) -> None:
    assert parse_url(url).drivername == driver


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("no url", "not a URL"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("mysql://u@h/d", "mysql is not supported"),
    ],
)
def test_a_database_url_that_cannot_be_used_says_what_to_write(url: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        parse_url(url)


def test_the_folder_of_a_sqlite_database_is_made(tmp_path: Path) -> None:
    file = sqlite_file(parse_url(f"sqlite:///{tmp_path}/a/b/test.db"))
    assert file == tmp_path / "a" / "b" / "test.db"
    assert file.parent.is_dir()
