"""A web application with webhook receivers of its own: pushed images appear on its front page."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from pydantic import Field
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from webhook_service import (
    Change,
    Context,
    Done,
    DriverConfig,
    Outcome,
    PageRequest,
    PushEvent,
    Role,
    Unchanged,
    WebhookDriver,
    WebhookService,
    load_settings,
)
from webhook_service.host import Identity, build_app

PROJECT = "shop-team"
SESSIONS = {"session-of-ada": Identity(PROJECT, Role.OWNER, "ada")}


class AnnounceConfig(DriverConfig):
    """Where a pushed image is announced."""

    channel: str = Field(min_length=1, description="A channel of the front page.")


class Announce(WebhookDriver[AnnounceConfig]):
    """Puts the newest image of a channel on the board."""

    Config = AnnounceConfig

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(options)
        self.board: dict[str, str] = {}

    def slot(self, config: AnnounceConfig, event: PushEvent) -> str:
        return config.channel

    def execute(self, config: AnnounceConfig, event: PushEvent, context: Context) -> Outcome:
        before = self.board.get(config.channel)
        if before == event.image:
            return Unchanged("It is announced already.")
        self.board[config.channel] = event.image
        return Done((Change(f"channel {config.channel}", "image", before, event.image),))


def known_by_session(request: HTTPConnection) -> Identity | None:
    """The application's own users manage receivers; no API token is needed."""
    return SESSIONS.get(request.cookies.get("session", ""))


def register(service: WebhookService) -> str:
    """The path that registries call; the receiver is made when the application first starts."""
    body = {
        "name": "board",
        "driver": "announce",
        "announceConfig": {"channel": "releases"},
        "match": {"repositories": ["acme/shop"], "tags": {"policy": "semver", "value": ">=1"}},
        "verify": {"scheme": "none"},
    }
    page = service.list_receivers(PROJECT, PageRequest(filters={"name": "board"}))
    receiver = page.items[0] if page.items else service.create_receiver(PROJECT, body)
    key = service.receiver_key(PROJECT, receiver.id)
    return f"/hooks/v1-webhooks/endpoint?key={key}&projectId={PROJECT}"


def create() -> Starlette:
    """The application; the service's settings come from its environment variables."""
    settings = load_settings()
    service = WebhookService.open(settings)
    announce = Announce()
    service.drivers.add("announce", announce)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        service.start()
        try:
            print("Registries call", await run_in_threadpool(register, service), flush=True)
            yield
        finally:
            await run_in_threadpool(service.stop)

    def front_page(request: Request) -> JSONResponse:
        return JSONResponse(announce.board)

    hooks = build_app(settings, service, authenticator=known_by_session, manage_service=False)
    return Starlette(routes=[Route("/", front_page), Mount("/hooks", hooks)], lifespan=lifespan)
