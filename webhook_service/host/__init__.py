"""The HTTP host: the endpoint and the management API, over Starlette and uvicorn.

Only this package imports them. An application that has an ASGI server already mounts
``build_app(settings, service)``, or ``create_app(service)`` with what it chooses itself;
``serve()`` is the whole service in one process.
"""

from webhook_service.host.api.callers.auth import Authenticator, Identity
from webhook_service.host.app import create_app
from webhook_service.host.http.body import BodyLimits
from webhook_service.host.limits.memory import BodyMemory
from webhook_service.host.limits.rates import CallRates, Rate
from webhook_service.host.server import build_app, serve

__all__ = [
    "Authenticator",
    "BodyLimits",
    "BodyMemory",
    "CallRates",
    "Identity",
    "Rate",
    "build_app",
    "create_app",
    "serve",
]
