"""webhook-service: every push to any registry becomes a finished, verified, reversible change."""

from typing import TYPE_CHECKING, Any

from webhook_service.errors import (
    DriverError,
    InvalidConfig,
    InvalidPayload,
    InvalidRequest,
    IssuerUnavailable,
    NotFound,
    PluginUnavailable,
    Retry,
    SettingsError,
    StoreUnavailable,
    Superseded,
    TargetConflict,
    Unauthenticated,
    Unavailable,
    UnknownField,
    UnknownKey,
    WebhookServiceError,
)

if TYPE_CHECKING:
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
    from webhook_service.images import Image, InvalidImage, parse_image, parse_repository
    from webhook_service.model.delivery import Call, Delivery, DeliveryState, Item
    from webhook_service.model.execution import Approval, Attempt, Execution, ExecutionState, Vote
    from webhook_service.model.pages import Page, PageRequest
    from webhook_service.model.receiver import Receiver, ReceiverSpec, ReceiverState, Respond
    from webhook_service.model.replays import Replayed, ReplayFilter
    from webhook_service.model.revision import Revision
    from webhook_service.model.tokens import Role, Token
    from webhook_service.net.outbound import Outbound, OutboundError, OutboundReply
    from webhook_service.receiving.simulate import PlannedWork, Simulation
    from webhook_service.service import WebhookService
    from webhook_service.settings import Settings

# Loaded on first use: drivers need only the contract, and the command line not even that.
_HOMES = {
    "model.delivery": (
        "Call",
        "Delivery",
        "DeliveryState",
        "Item",
    ),
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
    "model.execution": (
        "Approval",
        "Attempt",
        "Execution",
        "ExecutionState",
        "Vote",
    ),
    "images": (
        "Image",
        "InvalidImage",
        "parse_image",
        "parse_repository",
    ),
    "net.outbound": (
        "Outbound",
        "OutboundError",
        "OutboundReply",
    ),
    "model.receiver": (
        "Receiver",
        "ReceiverSpec",
        "ReceiverState",
        "Respond",
    ),
    "model.revision": ("Revision",),
    "service": ("WebhookService",),
    "settings": ("Settings",),
    "receiving.simulate": (
        "PlannedWork",
        "Simulation",
    ),
    "model.pages": (
        "Page",
        "PageRequest",
    ),
    "model.replays": (
        "ReplayFilter",
        "Replayed",
    ),
    "model.tokens": (
        "Role",
        "Token",
    ),
}
_LAZY = {name: f"{__name__}.{home}" for home, names in _HOMES.items() for name in names}

__all__ = [
    # The service, for applications that embed it
    "Approval",
    "Attempt",
    "Call",
    "Delivery",
    "DeliveryState",
    "Execution",
    "ExecutionState",
    "Item",
    "Page",
    "PageRequest",
    "PlannedWork",
    "Receiver",
    "ReceiverSpec",
    "ReceiverState",
    "ReplayFilter",
    "Replayed",
    "Respond",
    "Revision",
    "Role",
    "Settings",
    "Simulation",
    "Token",
    "Vote",
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
    # Calls to other servers
    "Outbound",
    "OutboundReply",
    # Errors that drivers raise
    "DriverError",
    "InvalidConfig",
    "Retry",
    "Superseded",
    "TargetConflict",
    # Errors that the service raises
    "InvalidPayload",
    "InvalidRequest",
    "IssuerUnavailable",
    "NotFound",
    "OutboundError",
    "PluginUnavailable",
    "SettingsError",
    "StoreUnavailable",
    "Unauthenticated",
    "Unavailable",
    "UnknownField",
    "UnknownKey",
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
