"""A service that tells a target of the test what happens, on both databases."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self, cast

import pytest

from tests.support import PROJECT, SECRET, local_engine, make_service, sqlite_url, wait_for
from webhook_service.engine.notify import with_notices
from webhook_service.model.execution import ENDED, Execution
from webhook_service.model.notification import Notification
from webhook_service.plugins.instances import Drivers
from webhook_service.service import WebhookService
from webhook_service.settings import Settings, load_settings
from webhook_service.store.store import Store


@dataclass(frozen=True)
class Got:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] | None = None


class Target:
    """Whoever is told: it keeps all calls, and answers what ``answers`` has next, else 200."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.answers: list[Answer] = []
        self.hang = Event()
        self.hang.set()
        self._server = _Server(self)
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), name="target")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def wait(self, count: int = 1) -> Sequence[Got]:
        wait_for(lambda: len(self.got) >= count, 60)
        return self.got

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.hang.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    def __init__(self, target: Target) -> None:
        self.target = target
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        target = cast(_Server, self.server).target
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        target.got.append(Got(self.command, self.path, headers, body))
        target.hang.wait()
        answer = target.answers.pop(0) if target.answers else Answer()
        self.send_response(answer.status)
        for name, value in (answer.headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = _answer

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as target:
        yield target


StartService = Callable[..., WebhookService]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StartService]:
    """Starts the service on both databases, with settings if they are given."""
    url = sqlite_url(tmp_path)
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").new_migrated_database()
    with ExitStack() as stack:

        def start(**more: Any) -> WebhookService:
            settings = load_settings(
                database_url=url,
                secret_key=SECRET,
                allow_private=(ip_network("127.0.0.0/8"),),
                **more,
            )
            service = make_service(url, make_engine=engine(settings), settings=more)
            return stack.enter_context(service)

        yield start


@pytest.fixture
def service(start: StartService) -> WebhookService:
    return start()


def engine(settings: Settings) -> Callable[[Store, Drivers], Any]:
    return lambda store, drivers: local_engine(store, with_notices(drivers, settings))


def add(
    service: WebhookService, target: Target, project: str = PROJECT, **more: Any
) -> Notification:
    """A notification by the kind webhook, of failures if nothing else is said."""
    body = {
        "name": "ops",
        "kind": "webhook",
        "on": ["failed"],
        "webhookConfig": {"url": f"{target.url}/hook"},
        **more,
    }
    return service.notifications.create(project, body)


def notices(service: WebhookService, notification: Notification) -> list[Execution]:
    """The executions of a notification's notices, newest first."""
    found = service.notifications.notices(notification.project, notification.id)
    return [sent.execution for sent in found.items]


def ended(service: WebhookService, notification: Notification, count: int = 1) -> list[Execution]:
    """They, once so many have ended."""

    def found() -> list[Execution] | None:
        all_ = notices(service, notification)
        done = [one for one in all_ if one.state in ENDED]
        return all_ if len(done) >= count else None

    return wait_for(found, 60)  # type: ignore[no-any-return]
