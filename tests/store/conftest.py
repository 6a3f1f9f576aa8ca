"""The store's tests run on both databases: what holds on one must hold on the other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import SECRET, sqlite_url
from webhook_service.settings import load_settings
from webhook_service.store.store import Store, open_store

DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(params=DATABASES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    url: str = request.getfixturevalue("postgres").new_database()
    return url


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database with the current schema."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    url: str = request.getfixturevalue("postgres").new_migrated_database()
    return url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = open_store(load_settings(database_url=database_url, secret_key=SECRET))
    yield store
    store.close()
