"""The application: the pages' routes behind headers, and errors as pages."""

from __future__ import annotations

import hashlib
import logging
from contextlib import suppress
from importlib.resources import files
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webhook_service.console import cookies
from webhook_service.console.feeds import Feeds
from webhook_service.console.identity_provider import IdentityProvider
from webhook_service.console.pages.approvals import ApprovalsPage
from webhook_service.console.pages.deliveries import DeliveriesPage
from webhook_service.console.pages.delivery import DeliveryPage
from webhook_service.console.pages.executions import ExecutionButtons
from webhook_service.console.pages.freezes import FreezesPage
from webhook_service.console.pages.inboxes import InboxesPage
from webhook_service.console.pages.insights import InsightsPage
from webhook_service.console.pages.live import LivePage
from webhook_service.console.pages.login import LoginPage
from webhook_service.console.pages.notifications.edit_notification import EditNotificationPage
from webhook_service.console.pages.notifications.notifications import NotificationsPage
from webhook_service.console.pages.receivers.first_call import FirstCallPage
from webhook_service.console.pages.receivers.new_receiver import NewReceiverPage
from webhook_service.console.pages.receivers.receivers import ReceiversPage
from webhook_service.console.pages.rollback import RollbackPage
from webhook_service.console.pages.settings import SettingsPage
from webhook_service.console.pages.targets import TargetsPage
from webhook_service.console.security import SecurityHeaders
from webhook_service.console.site import Site
from webhook_service.console.visitor import NotLoggedIn, Visitor
from webhook_service.errors import (
    NotFound,
    RoleNotAllowed,
    SettingsError,
    Unavailable,
    WebhookServiceError,
)
from webhook_service.host.http.address import Addresses, Proxies
from webhook_service.host.limits.rates import GUESS_COST, Guesses, Rate
from webhook_service.net.fetcher import outbound_of
from webhook_service.service import WebhookService
from webhook_service.settings import Settings

if TYPE_CHECKING:
    from webhook_service.console.rendering import Templates

MOUNT = "/console"
INTERNAL = "Something went wrong here; the service's log has the details."
_ASSETS = {
    "console.css": "text/css",
    "console.js": "text/javascript",
    "htmx.min.js": "text/javascript",
    "hx-sse.min.js": "text/javascript",
}

log = logging.getLogger(__name__)


def build_console(settings: Settings, service: WebhookService, *, at: str = MOUNT) -> Starlette:
    """The console that the settings describe.

    The functions in ``app.state.at_shutdown`` end its live feeds: call them when the server begins
    to stop, as the host does.

    Args:
        at: where it is mounted below the base URL of the settings.

    Raises:
        SettingsError: the extra ``console`` is not installed.
    """
    assets = {name: (files(__package__) / "assets" / name).read_bytes() for name in _ASSETS}
    version = hashlib.sha256(b"".join(assets.values())).hexdigest()[:12]
    rate = Rate(settings.address_rate, settings.address_burst)
    site = Site(
        service,
        Addresses(settings.base_url, Proxies(settings.trusted_proxies)),
        Guesses(rate.shared_by(GUESS_COST)),
        _templates(version),
        at,
    )
    feeds = Feeds(service)
    provider = _provider(settings)

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in assets:
            raise NotFound("There is no such page.")
        year = {"cache-control": "public, max-age=31536000, immutable"}
        return Response(assets[name], media_type=_ASSETS[name], headers=year)

    login = LoginPage(site, provider)
    errors = _Errors(site, login)
    app = Starlette(
        routes=[
            Route("/assets/{name}", asset),
            *login.routes(),
            *DeliveriesPage(site).routes(),
            *DeliveryPage(site).routes(),
            *ExecutionButtons(site).routes(),
            *NewReceiverPage(site).routes(),
            *FirstCallPage(site).routes(),
            *RollbackPage(site).routes(),
            *ReceiversPage(site).routes(),
            *InboxesPage(site).routes(),
            *TargetsPage(site).routes(),
            *ApprovalsPage(site).routes(),
            *FreezesPage(site).routes(),
            *InsightsPage(site).routes(),
            *SettingsPage(site).routes(),
            *EditNotificationPage(site).routes(),
            *NotificationsPage(site).routes(),
            *LivePage(site, feeds).routes(),
        ],
        middleware=[Middleware(SecurityHeaders), Middleware(errors.last)],
        exception_handlers={
            NotLoggedIn: errors.not_logged_in,
            WebhookServiceError: errors.known,
            HTTPException: errors.no_such_page,
            ClientDisconnect: errors.gone,
        },
    )
    app.router.redirect_slashes = False
    app.state.at_shutdown = [feeds.close]
    return app


def _provider(settings: Settings) -> IdentityProvider | None:
    if settings.console_oidc is None:
        return None
    return IdentityProvider(settings.console_oidc, outbound_of(settings))


def _templates(version: str) -> Templates:
    try:
        from webhook_service.console.rendering import Templates
    except ImportError as exc:
        raise SettingsError(
            "The console needs a package that is not installed: "
            "pip install 'webhook-service[console]'."
        ) from exc
    return Templates(version)


class _Errors:
    """Every error is a page that says what to do."""

    def __init__(self, site: Site, login: LoginPage) -> None:
        self._site = site
        self._login = login

    async def not_logged_in(self, request: Request, _: Exception) -> Response:
        by_script = "hx-request" in request.headers
        if by_script or "text/event-stream" in request.headers.get("accept", ""):
            return Response("Log in again.", 401, media_type="text/plain")
        if request.method != "GET":
            return await self._login.ended(request)
        path = request.url.path.removeprefix(request.scope.get("root_path", ""))
        wanted = path + (f"?{request.url.query}" if request.url.query else "")
        query = "" if wanted == "/" else f"?{urlencode({'next': wanted})}"
        answer = RedirectResponse(f"{self._site.base(request)}/login{query}", 303)
        cookies.take_back(answer, self._site.is_secure(request))
        return answer

    def last(self, app: ASGIApp) -> ASGIApp:
        """Wrap the pages: what nobody foresaw is logged, and a page, too."""

        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            started = False

            async def watched(message: Message) -> None:
                nonlocal started
                started = True
                await send(message)

            try:
                await app(scope, receive, watched)
            except Exception as exc:
                if scope["type"] != "http":
                    raise
                log.error("console: %s %s failed", scope["method"], scope["path"], exc_info=exc)
                if not started:
                    request = Request(scope, receive)
                    await (await self._page(request, 500, INTERNAL))(scope, receive, send)

        return wrapped

    async def known(self, request: Request, exc: Exception) -> Response:
        assert isinstance(exc, WebhookServiceError)
        status = 403 if isinstance(exc, RoleNotAllowed) else exc.status
        if status == 500:
            raise exc
        answer = await self._page(request, status, exc.message)
        if isinstance(exc, Unavailable):
            answer.headers["retry-after"] = str(exc.retry_after)
        return answer

    async def no_such_page(self, request: Request, exc: Exception) -> Response:
        assert isinstance(exc, HTTPException)
        return await self._page(request, exc.status_code, "There is no such page.")

    async def gone(self, request: Request, exc: Exception) -> Response:
        return Response(status_code=400)

    async def _page(self, request: Request, status: int, message: str) -> Response:
        visitor = await self._visitor(request) if status < 500 else None
        return await self._site.page(
            request, visitor, "error.html", status, code=status, message=message
        )

    async def _visitor(self, request: Request) -> Visitor | None:
        """Whoever is logged in, so that they keep the navigation."""
        with suppress(WebhookServiceError):
            return await self._site.enter(request)
        return None
