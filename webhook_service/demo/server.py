"""The host in a thread of this process, on a socket that is bound before anything else starts."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from starlette.applications import Starlette

from webhook_service.errors import SettingsError
from webhook_service.host import create_app
from webhook_service.host.server import Server, server_config
from webhook_service.net.listener import bind
from webhook_service.service import WebhookService
from webhook_service.settings import Settings


def listen(settings: Settings) -> socket.socket:
    """A socket with the address of the settings.

    Raises:
        SettingsError: it is taken, or not of this machine.
    """
    try:
        return bind(settings.listen_host, settings.listen_port)
    except SettingsError as exc:
        raise SettingsError(
            f"{exc.message} Give another address: --listen 127.0.0.1:8086."
        ) from exc


@contextmanager
def serving(
    service: WebhookService, listener: socket.socket, beside: Mapping[str, Starlette]
) -> Iterator[str]:
    """Serve a running service until the end of the block; gives its address.

    Args:
        beside: see ``create_app``.
    """
    started = threading.Event()
    addresses: list[str] = []

    def on_ready(address: str) -> None:
        addresses.append(address)
        started.set()

    app = create_app(service, manage_service=False, beside=beside)
    server = Server(server_config(app), on_ready)
    thread = threading.Thread(target=server.run, args=([listener],), name="demo-host")
    thread.start()
    try:
        while not started.wait(0.1):
            if not thread.is_alive():
                raise SettingsError("The host did not start; its log above says why.")
        yield addresses[0]
    finally:
        server.should_exit = True
        thread.join()
