"""Every engine on every database: a new engine is one more entry of ``ENGINES``."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.engine.celery_threads import CeleryThreads
from tests.support import MakeEngine, local_engine, make_service, sqlite_url
from webhook_service.service import WebhookService

StartHost = Callable[..., WebhookService]

ENGINES: Mapping[str, Callable[[pytest.FixtureRequest], MakeEngine]] = {
    "local": lambda request: local_engine,
    "rabbitmq": lambda request: _celery(request.getfixturevalue("rabbitmq").url),
    "redis": lambda request: _celery(request.getfixturevalue("redis").url),
}
BROKERS = {"rabbitmq": (pytest.mark.rabbitmq,), "redis": (pytest.mark.redis,)}
DATABASES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgres))


def _celery(broker_url: str) -> MakeEngine:
    return partial(CeleryThreads, broker_url)


@pytest.fixture(params=[pytest.param(name, marks=BROKERS.get(name, ())) for name in ENGINES])
def engine(request: pytest.FixtureRequest) -> MakeEngine:
    """Makes the engine of a host."""
    return ENGINES[request.param](request)


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new database with the current schema."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    url: str = request.getfixturevalue("postgres").new_migrated_database()
    return url


@pytest.fixture
def start_host(database: str, engine: MakeEngine) -> Iterator[StartHost]:
    """Called once for each host that is wanted, it gives a running service on the database."""
    with ExitStack() as stack:

        def start(lease: float = 30.0, **more: Any) -> WebhookService:
            service = make_service(database, lease=lease, make_engine=engine, **more)
            return stack.enter_context(service)

        yield start


@pytest.fixture
def host(start_host: StartHost) -> WebhookService:
    return start_host()
