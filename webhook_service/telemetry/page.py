"""A page of metrics on an address of its own."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, start_http_server

from webhook_service.errors import SettingsError


def serve(registry: CollectorRegistry, address: str) -> Callable[[], None]:
    """Serve ``/metrics``; gives a function that ends it.

    Args:
        address: ``host:port``.

    Raises:
        SettingsError: it cannot be served on.
    """
    host, _, port = address.rpartition(":")
    try:
        server, thread = start_http_server(int(port), host.strip("[]"), registry)
    except OSError as exc:
        raise SettingsError(
            f"WEBHOOK_SERVICE_METRICS_LISTEN: {address} cannot be served on: {exc.strerror}."
        ) from exc

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop
