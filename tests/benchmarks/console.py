"""What the console costs: a page of a long log, and pages that are live."""

import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import Iterator, MutableMapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.benchmarks import rows, targets
from tests.benchmarks.figures import Figure, repeat
from tests.benchmarks.load import Missing
from tests.servers.postgres import Postgres
from tests.support import PROJECT, SECRET, sqlite_url
from webhook_service.console import build_console
from webhook_service.console.feeds import FEEDS_OF_ACTOR
from webhook_service.service import WebhookService
from webhook_service.settings import load_settings

PAGES = 5
FEEDS = 100
SECONDS = 10.0
BASE = "http://127.0.0.1"
_ROW = '<tr role="row" id="dlv_'


def measure(count: int) -> Iterator[Figure]:
    """With as many deliveries in the log: CPU time of the host, without its HTTP server."""
    with tempfile.TemporaryDirectory() as folder, Postgres() as postgres:
        for name, url in (("SQLite", sqlite_url(Path(folder))), ("PostgreSQL", postgres.url)):
            targets.new_receiver(url)
            rows.add_history(url, count)
            settings = load_settings(database_url=url, secret_key=SECRET)
            with WebhookService.open(settings, run=False) as service:
                app = build_console(settings, service)
                yield from _measure(f"{name}, {count:,} deliveries", app, service)
            values = repeat(lambda url=url: _started(url))  # type: ignore[misc]
            yield Figure(f"CPU of the first page, {name}", "ms", values, limit=50.0)


def _first_page(url: str) -> float:
    """Milliseconds of CPU for the first page after a start; runs in a process of its own."""
    settings = load_settings(database_url=url, secret_key=SECRET)
    with WebhookService.open(settings, run=False) as service:
        # What this client loads does not count, nor threads: a host has them since /readyz.
        _page(Starlette(routes=[Route("/", _rows)]), service, "/", 1)
        return _page(build_console(settings, service), service, "/deliveries", 1)


def _rows(_: Request) -> PlainTextResponse:
    return PlainTextResponse(_ROW * 50)


def _started(url: str) -> float:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(_first_page, url).result()


def _measure(name: str, app: Starlette, service: WebhookService) -> Iterator[Figure]:
    for path, limit in (("/deliveries", 50.0), ("/deliveries?text=shop", None)):
        values = repeat(lambda path=path: _page(app, service, path))  # type: ignore[misc]
        yield Figure(f"CPU of {path}, {name}", "ms", values, limit=limit)
    shares = repeat(lambda: asyncio.run(_feeds(app, service)), 3)
    yield Figure(f"core for {FEEDS} live pages, {name}", "%", shares, limit=5)


def _page(app: Starlette, service: WebhookService, path: str, times: int = PAGES) -> float:
    """Milliseconds of CPU for one page."""

    async def look() -> float:
        transport = httpx.ASGITransport(app)
        headers = {"cookie": _cookie(service)}
        async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers) as client:
            begin = time.process_time()
            for _ in range(times):
                answer = await client.get(path)
                if answer.text.count(_ROW) != 50:
                    raise Missing("the page has not 50 rows")
            return (time.process_time() - begin) / times * 1000

    return asyncio.run(look())


async def _feeds(app: Starlette, service: WebhookService) -> float:
    """Percent of a core for live pages while nothing happens."""
    cookies = [_cookie(service) for _ in range(FEEDS // FEEDS_OF_ACTOR)]
    tasks = [asyncio.create_task(_feed(app, cookies[n % len(cookies)])) for n in range(FEEDS)]
    await asyncio.sleep(2)
    if any(task.done() for task in tasks):
        raise Missing("a feed ended")
    begin, since = time.process_time(), time.monotonic()
    await asyncio.sleep(SECONDS)
    share = (time.process_time() - begin) / (time.monotonic() - since) * 100
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return share


async def _feed(app: Starlette, cookie: str) -> None:
    """One reader that stays."""
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/feed",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), (b"cookie", cookie.encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "scheme": "http",
    }
    for_ever = asyncio.Event()

    async def receive() -> MutableMapping[str, Any]:
        await for_ever.wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start" and message["status"] != 200:
            raise Missing(f"a feed answers {message['status']}")

    await app(scope, receive, send)


def _cookie(service: WebhookService) -> str:
    _, token = service.create_token(PROJECT)
    return f"webhook-service-console={service.sessions.open_by_token(token)}"
