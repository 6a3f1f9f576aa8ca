"""The server: uvicorn, started from settings, ended by SIGTERM without losing a request."""

from __future__ import annotations

import gc
import logging
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, cast

import uvicorn
from starlette.applications import Starlette

from webhook_service.errors import SettingsError
from webhook_service.host.api.callers.auth import (
    Authenticator,
    FirstOf,
    NamedByProxy,
    ProxyAuthenticator,
    TokenAuthenticator,
)
from webhook_service.host.app import create_app
from webhook_service.host.http.address import Proxies
from webhook_service.host.limits.connections import Connections, allow_open_files
from webhook_service.host.limits.protocol import BoundedProtocol, bounded
from webhook_service.host.limits.rates import CallRates, Rate
from webhook_service.host.limits.tls import TlsAcceptor, TlsFiles
from webhook_service.net.listener import bind
from webhook_service.service import WebhookService
from webhook_service.settings import Settings, load_settings
from webhook_service.telemetry.observer import ConnectionsOpen, Limited
from webhook_service.telemetry.traces import trace_to

if TYPE_CHECKING:
    from webhook_service.telemetry.metrics import Metrics

KEEP_ALIVE_SECONDS = 30
DRAIN_SECONDS = 10
BACKLOG = 2048

Beside = Callable[[Settings, WebhookService], Mapping[str, Starlette]]
"""Builds the applications that are served beside the API, by the path of their mount."""

log = logging.getLogger(__name__)


def build_app(
    settings: Settings,
    service: WebhookService,
    *,
    authenticator: Authenticator | None = None,
    manage_service: bool = True,
    beside: Beside | None = None,
    metrics: Callable[[], bytes] | None = None,
) -> Starlette:
    """The application that the settings describe: their base URL, rates and proxies.

    Args:
        authenticator: knows the callers of the management API; by default as the settings say, by
            API token, and by the roles that a proxy sends.
        manage_service: see ``create_app``.
        beside: builds what else is served, such as the console.
        metrics: gives what is served at ``/metrics``, to this machine and by the metrics token.
    """
    return create_app(
        service,
        authenticator=authenticator or _authenticator(settings, service),
        manage_service=manage_service,
        base_url=settings.base_url,
        trusted_proxies=settings.trusted_proxies,
        rates=CallRates(
            Rate(settings.address_rate, settings.address_burst),
            Rate(settings.receiver_rate, settings.receiver_burst),
            partial(_tell_limit, service),
        ),
        max_wait=settings.max_wait_seconds,
        max_waiting=settings.max_waiting,
        beside=None if beside is None else beside(settings, service),
        metrics=metrics,
        metrics_token=settings.metrics_token,
    )


def _authenticator(settings: Settings, service: WebhookService) -> Authenticator:
    known: Authenticator = TokenAuthenticator(service)
    if settings.proxy_roles:
        known = FirstOf(known, ProxyAuthenticator(settings.trusted_proxies))
    if settings.proxy_user_header is None:
        return known
    return NamedByProxy(known, settings.trusted_proxies, settings.proxy_user_header)


def build_protocol(settings: Settings, service: WebhookService) -> type[BoundedProtocol]:
    """The protocol, with the bounds on connections that the settings describe."""
    return bounded(
        admitted=Connections(
            settings.max_connections,
            settings.max_connections_per_address,
            Proxies(settings.trusted_proxies),
            partial(_tell_limit, service),
            lambda count: service.observers.tell(ConnectionsOpen(count)),
        )
    )


def serve(
    settings: Settings | None = None,
    *,
    run: bool = True,
    on_ready: Callable[[str], None] | None = None,
    beside: Beside | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; what runs then is finished first.

    Args:
        settings: those of the environment if left out.
        run: whether this process runs executions too.
        on_ready: called with the address once calls are taken.
        beside: builds what else is served, such as the console.

    Raises:
        SettingsError: a setting cannot be used, or the address is taken; nothing was started.
    """
    settings = settings or load_settings()
    allow_open_files(settings.max_connections)
    files = TlsFiles.of(settings)
    with bind(settings.listen_host, settings.listen_port) as listener:
        end_traces = trace_to(settings.otlp_endpoint)
        try:
            service = WebhookService.open(settings, run=run)
            with _metrics(settings, service) as metrics:
                serve_on(listener, settings, service, on_ready, beside, files, metrics.text)
        finally:
            end_traces()


def serve_on(
    listener: socket.socket,
    settings: Settings,
    service: WebhookService,
    on_ready: Callable[[str], None] | None = None,
    beside: Beside | None = None,
    files: TlsFiles | None = None,
    metrics: Callable[[], bytes] | None = None,
) -> None:
    """Serve a service that is open, as ``serve`` does; this process is for nothing else."""
    protocol = build_protocol(settings, service)
    app = build_app(settings, service, beside=beside, metrics=metrics)
    server = Server(server_config(app, protocol), on_ready, files)
    with _ended_by_signals(server):
        _spare_collector()
        server.run(sockets=[listener])


def _spare_collector() -> None:
    """Look for garbage among what calls leave behind, seldom, and not in what is there for good."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 50)


def _tell_limit(service: WebhookService, limit: str) -> None:
    service.observers.tell(Limited(limit))


@contextmanager
def _metrics(settings: Settings, service: WebhookService) -> Iterator[Metrics]:
    """Count meanwhile, and serve that on an address of its own if the settings ask for it."""
    from webhook_service.telemetry.metrics import Metrics

    metrics = Metrics(service.backlog, service.written, service.store.now)
    service.observers.add(metrics)
    if settings.metrics_listen is None:
        yield metrics
        return
    try:
        stop = metrics.serve(settings.metrics_listen)
    except SettingsError:
        service.stop()
        raise
    try:
        yield metrics
    finally:
        stop()


def server_config(
    app: Starlette, protocol: type[BoundedProtocol] = BoundedProtocol
) -> uvicorn.Config:
    """How uvicorn serves the application. It logs no requests: URLs hold keys."""
    return uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


class Server(uvicorn.Server):
    """uvicorn, telling when it takes calls, and letting nobody wait once it ends."""

    def __init__(
        self,
        config: uvicorn.Config,
        on_ready: Callable[[str], None] | None = None,
        files: TlsFiles | None = None,
    ) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._files = files
        self._acceptors: list[TlsAcceptor] = []
        self._at_shutdown: Sequence[Callable[[], None]] = cast(
            Starlette, config.app
        ).state.at_shutdown

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say by which address calls are taken."""
        await super().startup(sockets if self._files is None else [])
        if self._files is not None:
            self._start_tls(self._files, sockets or [])
        for listener in sockets or []:
            host, port = listener.getsockname()[:2]
            scheme = "http" if self._files is None else "https"
            url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
            log.info("taking calls on %s", url)
            if self._on_ready is not None:
                self._on_ready(url)

    def _start_tls(self, files: TlsFiles, sockets: Sequence[socket.socket]) -> None:
        def make() -> BoundedProtocol:
            protocol = cast(type[BoundedProtocol], self.config.http_protocol_class)
            return protocol(self.config, self.server_state, self.lifespan.state)

        self._acceptors = [TlsAcceptor(files, listener, make) for listener in sockets]
        for acceptor in self._acceptors:
            acceptor.start(self.config.backlog)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer those who wait for an outcome or news, and end what is left."""
        for end in self._at_shutdown:
            end()
        for acceptor in self._acceptors:
            await acceptor.stop()
        await super().shutdown(sockets)


@contextmanager
def _ended_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """End the server on signals from now on, and the process with exit code 0.

    uvicorn takes signals only once it runs, and raises them again when it has ended: both find
    this handler.
    """
    before = {
        number: signal.signal(number, server.handle_exit)
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
