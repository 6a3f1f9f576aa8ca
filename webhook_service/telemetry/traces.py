"""Traces of a process, if the settings ask for them."""

from __future__ import annotations

from collections.abc import Callable

from webhook_service.errors import SettingsError


def trace_to(endpoint: str | None) -> Callable[[], None]:
    """Send the spans of this process to an endpoint from now on; gives what ends it.

    Args:
        endpoint: ``WEBHOOK_SERVICE_OTLP_ENDPOINT``; without one nothing is sent, or imported.

    Raises:
        SettingsError: the extra is not installed.
    """
    if endpoint is None:
        return lambda: None
    try:
        from webhook_service.telemetry.otel import start
    except ImportError as exc:
        raise SettingsError(
            "WEBHOOK_SERVICE_OTLP_ENDPOINT needs the extra otel: "
            "pip install 'webhook-service[otel]'."
        ) from exc
    return start(endpoint)
