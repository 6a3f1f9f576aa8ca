"""The application: routes over a ``WebhookService``, and nothing else.

It serves alone, or mounted in an application that has one already.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.routing import Mount

from webhook_service.host.api.audit import Audit
from webhook_service.host.api.callers.access import Guard
from webhook_service.host.api.callers.auth import Authenticator, TokenAuthenticator
from webhook_service.host.api.callers.threads import Threads
from webhook_service.host.api.deliveries import Deliveries
from webhook_service.host.api.document.document import Document
from webhook_service.host.api.executions import Executions
from webhook_service.host.api.holds import ApiHolds
from webhook_service.host.api.inboxes import ApiInboxes
from webhook_service.host.api.meta import Meta
from webhook_service.host.api.metrics import MetricsPage
from webhook_service.host.api.notifications import Notifications
from webhook_service.host.api.plugins import InstalledPlugins
from webhook_service.host.api.projects import Projects
from webhook_service.host.api.receivers import Receivers
from webhook_service.host.api.revisions import Revisions
from webhook_service.host.api.tokens import ApiTokens
from webhook_service.host.endpoint import Endpoint
from webhook_service.host.http.address import Addresses, Network, Proxies
from webhook_service.host.http.body import BodyLimits
from webhook_service.host.http.failures import Failures
from webhook_service.host.limits.rates import CallRates
from webhook_service.host.outcomes import Outcomes
from webhook_service.host.shortcut import Shortcut, require_asyncio
from webhook_service.host.vote.page import VotePage
from webhook_service.host.waiting import MAX_OF_PROJECT, Waiters
from webhook_service.service import WebhookService
from webhook_service.telemetry.observer import CallersWaiting


def create_app(
    service: WebhookService,
    *,
    authenticator: Authenticator | None = None,
    base_url: str | None = None,
    trusted_proxies: Collection[Network] = (),
    manage_service: bool = True,
    limits: BodyLimits | None = None,
    rates: CallRates | None = None,
    max_wait: float = 300.0,
    max_waiting: int = MAX_OF_PROJECT,
    beside: Mapping[str, Starlette] | None = None,
    metrics: Callable[[], bytes] | None = None,
    metrics_token: str | None = None,
) -> Starlette:
    """Build the ASGI application.

    Args:
        service: what it serves.
        authenticator: knows the callers of the management API; by default by API token.
        base_url: the address that senders reach, for links and the URLs of receivers; by
            default the one that each request was sent to.
        trusted_proxies: networks whose X-Forwarded-* headers are believed.
        manage_service: whether the service starts and stops with the application. An
            application that mounts this one starts the service itself.
        limits: of request bodies.
        rates: how often senders may call; without them as often as they like.
        max_wait: seconds for which a call may wait for its outcome.
        max_waiting: callers of one project that may wait so.
        beside: other applications to serve, such as the console, by the path of their mount.
            What they have in ``state.at_shutdown`` is called before open requests are waited for.
        metrics: gives what is served at ``/metrics``, to this machine; without it there is no
            such page.
        metrics_token: opens that page to other machines.
    """
    addresses = Addresses(base_url, Proxies(trusted_proxies))
    failures = Failures(addresses)
    threads, limits = Threads(service.bounded), limits or BodyLimits()
    observers = service.observers
    waiters = Waiters(
        service.find_ended,
        of_project=max_waiting,
        on_count=lambda count: observers.tell(CallersWaiting(count)),
    )
    outcomes = Outcomes(waiters, max_wait)
    observers.add(waiters)
    rates = rates or CallRates()
    guard = Guard(authenticator or TokenAuthenticator(service), threads, addresses, rates.guesses)
    endpoint = Endpoint(service, addresses, limits, rates, outcomes)
    routes = [
        *endpoint.routes(),
        *Receivers(service, guard, threads, limits).routes(),
        *ApiInboxes(service, guard, threads, limits).routes(),
        *Notifications(service, guard, threads, limits).routes(),
        *Revisions(service, guard, threads, limits).routes(),
        *Deliveries(service, guard, threads).routes(),
        *Executions(service, guard, threads, limits).routes(),
        *Audit(service, guard, threads).routes(),
        *ApiTokens(service, guard, threads, limits).routes(),
        *Projects(service, guard, threads).routes(),
        *ApiHolds(service, guard, threads, limits).routes(),
        *InstalledPlugins(service, guard, threads, addresses).routes(),
        *Meta(service, guard, addresses).routes(),
    ]
    if metrics is not None:
        routes += MetricsPage(metrics, metrics_token).routes()
    routes += Document(service, guard, threads, addresses, routes).routes()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        require_asyncio()
        if manage_service:
            service.start()
        try:
            yield
        finally:
            if manage_service:
                await run_in_threadpool(service.stop)

    routes += VotePage(service, addresses, threads, rates).routes()
    mounts = [Mount(path, other) for path, other in (beside or {}).items()]
    app = Starlette(
        routes=[*routes, *mounts],
        middleware=[
            Middleware(failures.last),
            Middleware(Shortcut, endpoint.paths, endpoint.call, failures),
        ],
        exception_handlers=failures.handlers(),
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    others = [end for other in (beside or {}).values() for end in other.state.at_shutdown]
    app.state.at_shutdown = [outcomes.waiters.close, *others]
    return app
