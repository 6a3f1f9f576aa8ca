"""The console: pages for people, over the methods of a ``WebhookService``.

It is an ASGI application of its own, rendered on the server. The host mounts it at ``/console``
if ``WEBHOOK_SERVICE_CONSOLE`` says so; an embedding application mounts
``build_console(settings, service)`` wherever it likes. It needs the extra ``console``.
"""

from webhook_service.console.app import MOUNT, build_console

__all__ = ["MOUNT", "build_console"]
