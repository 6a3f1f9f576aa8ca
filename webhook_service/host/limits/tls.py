"""TLS without a proxy: files that are read again when they change, and bounded handshakes."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn, Self

from webhook_service.errors import SettingsError
from webhook_service.host.limits.protocol import BoundedProtocol
from webhook_service.settings import Settings

HANDSHAKE_SECONDS = 10.0
SHUTDOWN_SECONDS = 5.0
LOOK_SECONDS = 1.0
ACCEPT_PAUSE_SECONDS = 1.0

log = logging.getLogger(__name__)


class TlsFiles:
    """The certificate and the key to serve with, and who signs the certificates of callers.

    Args:
        certificate: PEM, with the intermediate certificates behind it.
        key: PEM, without a password.
        client_ca: PEM; callers may show a certificate of these authorities. Without it they are
            not asked for one.

    Raises:
        SettingsError: a file cannot be used. Later the last good files stay in use.
    """

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None = None) -> None:
        self._certificate = certificate
        self._key = key
        self._client_ca = client_ca
        self._stamp = self._look()
        self._context = self._read()
        self._looked = time.monotonic()

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """The files that the settings name, if they name any."""
        if settings.tls_cert is None or settings.tls_key is None:
            return None
        return cls(settings.tls_cert, settings.tls_key, settings.tls_client_ca)

    def context(self) -> ssl.SSLContext:
        """What the next connection is served with. A new one knows no session of the old one."""
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            self._looked = time.monotonic()
            self._renew()
        return self._context

    def _renew(self) -> None:
        stamp = self._look()
        if stamp == self._stamp:
            return
        # Files are written one after the other: what does not fit yet is tried after the next one.
        self._stamp = stamp
        try:
            self._context = self._read()
        except SettingsError as exc:
            log.warning("The last good TLS certificate stays in use: %s", exc.message)
        else:
            log.info("serving the TLS certificate of %s from now on", self._certificate)

    def _look(self) -> list[tuple[int, int, int] | None]:
        return [_stamp(path) for path in (self._certificate, self._key, self._client_ca) if path]

    def _read(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self._certificate, self._key, password=_no_password)
        except (OSError, ssl.SSLError) as exc:
            raise SettingsError(
                f"WEBHOOK_SERVICE_TLS_CERT and WEBHOOK_SERVICE_TLS_KEY: {self._certificate} and "
                f"{self._key} cannot be used: {_why(exc)}."
            ) from exc
        if self._client_ca is not None:
            context.verify_mode = ssl.CERT_OPTIONAL
            self._trust(context, self._client_ca)
        return context

    def _trust(self, context: ssl.SSLContext, authorities: Path) -> None:
        try:
            context.load_verify_locations(authorities)
        except (OSError, ssl.SSLError) as exc:
            raise SettingsError(
                f"WEBHOOK_SERVICE_TLS_CLIENT_CA: {authorities} cannot be used: {_why(exc)}."
            ) from exc


class TlsAcceptor:
    """Accepts callers and shakes hands with them.

    A caller counts among the open connections from the first moment on, which the loop's own
    servers do not tell; and each connection is served with the files as they are then.

    Args:
        listener: bound; it listens from ``start`` on.
        make: makes the protocol of a connection.
    """

    def __init__(
        self, files: TlsFiles, listener: socket.socket, make: Callable[[], BoundedProtocol]
    ) -> None:
        self._files = files
        self._listener = listener
        self._make = make
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, backlog: int) -> None:
        self._listener.listen(backlog)
        self._listener.setblocking(False)
        self._begin(self._accept())

    async def stop(self) -> None:
        """Accept nobody any more, and leave those whose handshake has not ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(self._listener)
            except OSError as exc:  # such as too many open files; callers wait in the backlog
                log.warning("no connection can be accepted now: %s", exc.strerror)
                await asyncio.sleep(ACCEPT_PAUSE_SECONDS)
                continue
            self._begin(self._shake_hands(connection, address[0]))

    async def _shake_hands(self, connection: socket.socket, address: str) -> None:
        protocol = self._make()
        if not protocol.enter(address):
            return connection.close()
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=self._files.context(),
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=SHUTDOWN_SECONDS,
            )
        except OSError:  # of TLS itself, too, and a handshake that took too long
            protocol.leave()
            connection.close()
        except asyncio.CancelledError:
            protocol.leave()
            connection.close()
            raise


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _no_password() -> NoReturn:
    raise SettingsError(
        "WEBHOOK_SERVICE_TLS_KEY is encrypted with a password; write it without one: "
        "openssl pkey -in KEY -out NEW."
    )


def _why(exc: OSError) -> str:
    if isinstance(exc, ssl.SSLError):
        if exc.reason == "KEY_VALUES_MISMATCH":
            return "the key is not the certificate's"
        return f"no PEM that can be read ({exc.reason or exc.strerror or exc})"
    return exc.strerror or str(exc)
