"""A host over a service with the stub driver, on a new SQLite database."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.host.served import Served, ending, serving
from tests.support import add_receiver, make_service, sqlite_url
from webhook_service.model.people.tokens import Role


@pytest.fixture(scope="session", autouse=True)
def all_ended() -> Iterator[None]:
    yield
    for thread in ending:
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(make_service(sqlite_url(tmp_path))) as running:
        yield running


@pytest.fixture
def owner(served: Served) -> Iterator[httpx.Client]:
    with served.client() as client:
        yield client


@pytest.fixture
def member(served: Served) -> Iterator[httpx.Client]:
    with served.client(Role.MEMBER) as client:
        yield client


@pytest.fixture
def readonly(served: Served) -> Iterator[httpx.Client]:
    with served.client(Role.READONLY) as client:
        yield client


@pytest.fixture
def stranger(served: Served) -> Iterator[httpx.Client]:
    """A caller without credentials."""
    with served.client(None) as client:
        yield client


@pytest.fixture
def receiver(served: Served) -> tuple[str, str]:
    """The id and key of a receiver."""
    return add_receiver(served.service)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One host for all tests of a module that leave nothing behind."""
    with serving(make_service(sqlite_url(tmp_path_factory.mktemp("shared")))) as running:
        yield running


@pytest.fixture
def shared_owner(shared: Served) -> Iterator[httpx.Client]:
    with shared.client() as client:
        yield client


@pytest.fixture
def shared_stranger(shared: Served) -> Iterator[httpx.Client]:
    with shared.client(None) as client:
        yield client
