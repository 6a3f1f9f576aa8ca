"""Builders that most tests of the core share."""

import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from webhook_service.driver import WebhookDriver
from webhook_service.engine.engine import Engine
from webhook_service.engine.local import LocalEngine
from webhook_service.formats.dockerhub import DockerHub
from webhook_service.formats.format import Format
from webhook_service.model.delivery import Call, Delivery
from webhook_service.model.execution import ENDED, Execution
from webhook_service.net.fetcher import Fetcher, outbound_of
from webhook_service.plugins.discovery import DRIVERS, FORMATS, SCHEMES, Plugins
from webhook_service.plugins.instances import Drivers, new_drivers, new_formats, new_schemes
from webhook_service.schemes.none import Unsigned
from webhook_service.schemes.scheme import Fetch, Scheme
from webhook_service.service import WebhookService
from webhook_service.settings import load_settings
from webhook_service.store import migrate
from webhook_service.store.database.database import Database
from webhook_service.store.store import Store, open_store
from webhook_service.testing.samples import PUSHED_AT, dockerhub_push
from webhook_service.testing.stub import StubDriver

PROJECT = "1a5"
SECRET = "a secret key of the tests"
MakeEngine = Callable[[Store, Drivers], Engine]


def local_engine(store: Store, drivers: Drivers) -> Engine:
    """The local engine, small and quick to ask for work."""
    return LocalEngine(store, drivers, workers=4, poll=0.05)


def make_service(
    database_url: str,
    drivers: Mapping[str, type[WebhookDriver[Any, Any]]] | None = None,
    *,
    run: bool = True,
    lease: float = 30.0,
    make_engine: MakeEngine = local_engine,
    options: Mapping[str, Any] | None = None,
    fetch: Fetch | None = None,
    settings: Mapping[str, Any] | None = None,
    **more: Any,
) -> WebhookService:
    """A service over a database, with the stub driver and the Docker Hub format.

    ``options`` are the drivers', ``fetch`` is what schemes reach others by, ``settings`` are those
    that differ from their defaults; ``more`` is handed to ``WebhookService``.
    """
    loaded = load_settings(database_url=database_url, secret_key=SECRET, **settings or {})
    plugins: Plugins[WebhookDriver[Any, Any]] = Plugins(DRIVERS, "driver", WebhookDriver)
    for name, driver in (drivers or {"stub": StubDriver}).items():
        plugins.add(name, driver)
    formats: Plugins[Any] = Plugins(FORMATS, "format", Format)
    formats.add("dockerhub", DockerHub)
    schemes: Plugins[Any] = Plugins(SCHEMES, "scheme", Scheme)
    schemes.add("none", Unsigned)
    store = open_store(loaded, lease)
    all_drivers = new_drivers(plugins, options)
    engine = make_engine(store, all_drivers) if run else None
    all_schemes = new_schemes(fetch or Fetcher(outbound_of(loaded)), schemes)
    return WebhookService(
        store, all_drivers, new_formats(formats), all_schemes, engine, settings=loaded, **more
    )


def sqlite_url(folder: Path) -> str:
    """The URL of a folder's database; a new one has the schema already."""
    file = folder / "test.db"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_bytes(_migrated())
    return f"sqlite:///{file}"


@cache
def _migrated() -> bytes:
    """A file with the schema and nothing else: made once, because migrations take a while."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "test.db"
        with closing(Database(f"sqlite:///{file}")) as database:
            migrate.upgrade(database)
        return file.read_bytes()


def stub_of(service: WebhookService) -> StubDriver:
    driver = service.drivers.get("stub")
    assert isinstance(driver, StubDriver)
    return driver


def receiver_body(name: str = "shop", **fields: Any) -> dict[str, Any]:
    return {"name": name, "driver": "stub", "stubConfig": {}, **fields}


def add_receiver(service: WebhookService, project: str = PROJECT, **fields: Any) -> tuple[str, str]:
    """Create a receiver; its id and key."""
    receiver = service.create_receiver(project, receiver_body(**fields))
    return receiver.id, service.receiver_key(project, receiver.id)


def add_inbox(service: WebhookService, project: str = PROJECT, name: str = "hub") -> str:
    """Create an inbox for calls of Docker Hub; its id."""
    parts = {"source": {"format": "dockerhub"}, "verify": {"scheme": "none"}}
    return service.inboxes.create(project, {"name": name, **parts}).id


def push(
    service: WebhookService,
    key: str,
    tag: str = "1.2.3",
    repository: str = "acme/shop",
    pushed_at: datetime | None = PUSHED_AT,
    project: str = PROJECT,
) -> Delivery:
    """Send a Docker Hub push to a receiver."""
    body = dockerhub_push(repository, tag, pushed_at=pushed_at)
    return service.accept(project, key, Call(body, {"content-type": "application/json"}))


def wait_for(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Poll until the condition is true; fail when it is not in time."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.01)
    return found


def wait_for_end(service: WebhookService, execution: str, seconds: float = 30.0) -> Execution:
    """Wait until an execution has ended."""

    def ended() -> Execution | None:
        found = service.get_execution(PROJECT, execution)
        return found if found.state in ENDED else None

    return wait_for(ended, seconds)  # type: ignore[no-any-return]
