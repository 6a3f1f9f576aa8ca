"""The HTTP host: the endpoint and the management API, over Starlette and uvicorn.

Only this package imports them. An application that has an ASGI server already mounts
``create_app(service)``; ``serve()`` is the whole service in one process.
"""

from webhook_service.host.api.auth import Authenticator, Identity
from webhook_service.host.app import create_app
from webhook_service.host.server import serve

__all__ = ["Authenticator", "Identity", "create_app", "serve"]
