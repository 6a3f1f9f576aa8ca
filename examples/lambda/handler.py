"""The endpoint of webhook-service as a function of AWS Lambda: docs/deployment/lambda.md.

It takes calls and stores what was pushed. A host elsewhere, on the same PostgreSQL, runs it.
"""

import os

from mangum import Mangum
from mangum.handlers import ALB
from mangum.types import Scope

from webhook_service import SettingsError, WebhookService, load_settings
from webhook_service.host import build_app


class LoadBalancer(ALB):
    """An Application Load Balancer: the caller is whom it has seen itself.

    It appends that address to X-Forwarded-For. What stands before comes from the caller, who could
    be somebody else in each call, and so have no rate.
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
    """

    @property
    def scope(self) -> Scope:
        scope = super().scope
        seen, port = scope["client"]
        return {**scope, "client": (seen.rpartition(",")[2].strip(), port)}


def open_handler() -> Mangum:
    """What Lambda calls, for as long as this instance of the function lives.

    Raises:
        SettingsError: a file of SQLite would be gone with the instance, and the pushes in it.
    """
    settings = load_settings()
    if not settings.database_url.startswith("postgresql"):
        raise SettingsError("WEBHOOK_SERVICE_DATABASE_URL must name a PostgreSQL database.")
    service = WebhookService.open(settings, run=False)
    app = build_app(settings, service, manage_service=False)
    # No lifespan: it would begin and end with each event.
    return Mangum(
        app,
        lifespan="off",
        api_gateway_base_path=os.environ.get("API_BASE_PATH", "/"),
        custom_handlers=[LoadBalancer],
    )


handler = open_handler()
