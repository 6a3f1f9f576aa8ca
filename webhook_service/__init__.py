"""webhook-service: every push to any registry becomes a finished, verified, reversible change."""

from typing import TYPE_CHECKING, Any

from webhook_service.errors import (
    DriverError,
    InvalidConfig,
    Retry,
    Superseded,
    TargetConflict,
    WebhookServiceError,
)

if TYPE_CHECKING:
    from webhook_service.delivery import Call, Delivery, DeliveryState
    from webhook_service.driver import (
        Change,
        Context,
        Done,
        DriverConfig,
        Outcome,
        Plan,
        PushEvent,
        Request,
        Unchanged,
        Wait,
        WebhookDriver,
    )
    from webhook_service.execution import Execution, ExecutionState
    from webhook_service.failpoints import failpoint
    from webhook_service.images import Image, InvalidImage, parse_image, parse_repository
    from webhook_service.outbound import Outbound, OutboundError
    from webhook_service.receiver import Receiver
    from webhook_service.rollback import Revision
    from webhook_service.service import WebhookService
    from webhook_service.settings import Settings
    from webhook_service.store.pages import Page, PageRequest
    from webhook_service.store.replays import Replayed, ReplayFilter
    from webhook_service.store.tokens import Role

# Loaded on first use: drivers need only the contract, and the command line not even that.
_HOMES = {
    "delivery": ("Call", "Delivery", "DeliveryState"),
    "driver": (
        "Change",
        "Context",
        "Done",
        "DriverConfig",
        "Outcome",
        "Plan",
        "PushEvent",
        "Request",
        "Unchanged",
        "Wait",
        "WebhookDriver",
    ),
    "execution": ("Execution", "ExecutionState"),
    "failpoints": ("failpoint",),
    "images": ("Image", "InvalidImage", "parse_image", "parse_repository"),
    "outbound": ("Outbound", "OutboundError"),
    "receiver": ("Receiver",),
    "rollback": ("Revision",),
    "service": ("WebhookService",),
    "settings": ("Settings",),
    "store.pages": ("Page", "PageRequest"),
    "store.replays": ("Replayed", "ReplayFilter"),
    "store.tokens": ("Role",),
}
_LAZY = {name: f"{__name__}.{home}" for home, names in _HOMES.items() for name in names}

__all__ = [
    # The service, for applications that embed it
    "Call",
    "Delivery",
    "DeliveryState",
    "Execution",
    "ExecutionState",
    "Page",
    "PageRequest",
    "Receiver",
    "ReplayFilter",
    "Replayed",
    "Revision",
    "Role",
    "Settings",
    "WebhookService",
    # The driver contract
    "Change",
    "Context",
    "Done",
    "DriverConfig",
    "Outcome",
    "Plan",
    "PushEvent",
    "Request",
    "Unchanged",
    "Wait",
    "WebhookDriver",
    "failpoint",
    # Calls to other servers
    "Outbound",
    "OutboundError",
    # Errors a driver raises
    "DriverError",
    "InvalidConfig",
    "Retry",
    "Superseded",
    "TargetConflict",
    "WebhookServiceError",
    # Images
    "Image",
    "InvalidImage",
    "parse_image",
    "parse_repository",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)
