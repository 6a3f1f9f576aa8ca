"""webhook-service: every push to any registry becomes a finished, verified, reversible change."""

from typing import TYPE_CHECKING, Any

from webhook_service.errors import (
    Change,
    ChangedMeanwhile,
    DriverError,
    InvalidConfig,
    InvalidPayload,
    InvalidRequest,
    IssuerUnavailable,
    LimitReached,
    NotFound,
    OutdatedVersion,
    PluginUnavailable,
    Retry,
    RoleNotAllowed,
    SettingsError,
    StoreUnavailable,
    Superseded,
    TargetConflict,
    TooManyBodies,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    UnknownField,
    UnknownKey,
    WebhookServiceError,
    fault_of,
)

if TYPE_CHECKING:
    from webhook_service.chores.chore import Chore
    from webhook_service.driver import (
        Context,
        Done,
        DriverConfig,
        Outcome,
        Plan,
        PushEvent,
        Request,
        Secret,
        Unchanged,
        Wait,
        WebhookDriver,
        is_private_header,
    )
    from webhook_service.engine.engine import Engine
    from webhook_service.images import Image, InvalidImage, parse_image, parse_repository
    from webhook_service.model.approval_rule import ApprovalRule
    from webhook_service.model.audit import Actor, AuditAction, AuditEntry, FieldChange
    from webhook_service.model.backlog import Backlog, Written
    from webhook_service.model.delivery import (
        Basis,
        Call,
        Decision,
        Delivery,
        DeliveryState,
        Item,
        Refusal,
        Work,
    )
    from webhook_service.model.execution import (
        Approval,
        Attempt,
        Claim,
        Execution,
        ExecutionState,
        Verdict,
        Vote,
    )
    from webhook_service.model.pages import Page, PageRequest
    from webhook_service.model.receiver import (
        Freeze,
        Match,
        Receiver,
        ReceiverSpec,
        ReceiverState,
        Respond,
        Source,
        TagRule,
        Verify,
    )
    from webhook_service.model.registry_rule import RegistryRule
    from webhook_service.model.replays import Replayed, ReplayFilter
    from webhook_service.model.revision import Revision
    from webhook_service.model.tokens import Role, Token
    from webhook_service.net.outbound import Outbound, OutboundError, OutboundReply
    from webhook_service.people.interventions import Interventions
    from webhook_service.plugins.instances import Instances
    from webhook_service.receiving.simulate import PlannedWork, Simulation
    from webhook_service.receiving.v16_token import LegacyTokens
    from webhook_service.service import WebhookService
    from webhook_service.settings import ClusterSettings, Settings, load_settings
    from webhook_service.store.retention import ChoreStep
    from webhook_service.store.store import Store
    from webhook_service.telemetry.observer import (
        CallersWaiting,
        ConnectionsOpen,
        Decided,
        Happening,
        LeasesLost,
        Limited,
        Observer,
        Observers,
        Recorded,
        Refused,
        ResultRefused,
        Stepped,
        WorkersAbandoned,
        WorkersBusy,
    )

# Loaded on first use: drivers need only the contract, and the command line not even that.
_HOMES = {
    "chores.chore": ("Chore",),
    "driver": (
        "Context",
        "Done",
        "DriverConfig",
        "Outcome",
        "Plan",
        "PushEvent",
        "Request",
        "Secret",
        "Unchanged",
        "Wait",
        "WebhookDriver",
        "is_private_header",
    ),
    "engine.engine": ("Engine",),
    "images": (
        "Image",
        "InvalidImage",
        "parse_image",
        "parse_repository",
    ),
    "model.approval_rule": ("ApprovalRule",),
    "model.audit": (
        "Actor",
        "AuditAction",
        "AuditEntry",
        "FieldChange",
    ),
    "model.backlog": (
        "Backlog",
        "Written",
    ),
    "model.delivery": (
        "Basis",
        "Call",
        "Decision",
        "Delivery",
        "DeliveryState",
        "Item",
        "Refusal",
        "Work",
    ),
    "model.execution": (
        "Approval",
        "Attempt",
        "Claim",
        "Execution",
        "ExecutionState",
        "Verdict",
        "Vote",
    ),
    "model.pages": (
        "Page",
        "PageRequest",
    ),
    "model.receiver": (
        "Freeze",
        "Match",
        "Receiver",
        "ReceiverSpec",
        "ReceiverState",
        "Respond",
        "Source",
        "TagRule",
        "Verify",
    ),
    "model.registry_rule": ("RegistryRule",),
    "model.replays": (
        "ReplayFilter",
        "Replayed",
    ),
    "model.revision": ("Revision",),
    "model.tokens": (
        "Role",
        "Token",
    ),
    "net.outbound": (
        "Outbound",
        "OutboundError",
        "OutboundReply",
    ),
    "people.interventions": ("Interventions",),
    "plugins.instances": ("Instances",),
    "receiving.simulate": (
        "PlannedWork",
        "Simulation",
    ),
    "receiving.v16_token": ("LegacyTokens",),
    "service": ("WebhookService",),
    "settings": (
        "ClusterSettings",
        "Settings",
        "load_settings",
    ),
    "store.retention": ("ChoreStep",),
    "store.store": ("Store",),
    "telemetry.observer": (
        "CallersWaiting",
        "ConnectionsOpen",
        "Decided",
        "Happening",
        "LeasesLost",
        "Limited",
        "Observer",
        "Observers",
        "Recorded",
        "Refused",
        "ResultRefused",
        "Stepped",
        "WorkersAbandoned",
        "WorkersBusy",
    ),
}
_LAZY = {name: f"{__name__}.{home}" for home, names in _HOMES.items() for name in names}

__all__ = [
    # The service, for applications that embed it
    "Actor",
    "Approval",
    "ApprovalRule",
    "Attempt",
    "AuditAction",
    "AuditEntry",
    "Backlog",
    "Basis",
    "Call",
    "ClusterSettings",
    "Decision",
    "Delivery",
    "DeliveryState",
    "Execution",
    "ExecutionState",
    "FieldChange",
    "Freeze",
    "Interventions",
    "Item",
    "Match",
    "Page",
    "PageRequest",
    "PlannedWork",
    "Receiver",
    "ReceiverSpec",
    "ReceiverState",
    "Refusal",
    "RegistryRule",
    "ReplayFilter",
    "Replayed",
    "Respond",
    "Revision",
    "Role",
    "Settings",
    "Simulation",
    "Source",
    "TagRule",
    "Token",
    "Verify",
    "Vote",
    "WebhookService",
    "Work",
    "Written",
    "load_settings",
    # What a service is built from
    "Chore",
    "ChoreStep",
    "Engine",
    "Instances",
    "LegacyTokens",
    "Store",
    # Observers, and what they are told
    "CallersWaiting",
    "Claim",
    "ConnectionsOpen",
    "Decided",
    "Happening",
    "LeasesLost",
    "Limited",
    "Observer",
    "Observers",
    "Recorded",
    "Refused",
    "ResultRefused",
    "Stepped",
    "Verdict",
    "WorkersAbandoned",
    "WorkersBusy",
    # The driver contract
    "Change",
    "Context",
    "Done",
    "DriverConfig",
    "Outcome",
    "Plan",
    "PushEvent",
    "Request",
    "Secret",
    "Unchanged",
    "Wait",
    "WebhookDriver",
    "is_private_header",
    # Calls to other servers
    "Outbound",
    "OutboundReply",
    # Errors that drivers raise
    "DriverError",
    "InvalidConfig",
    "Retry",
    "RoleNotAllowed",
    "Superseded",
    "TargetConflict",
    "fault_of",
    # Errors that the service raises
    "ChangedMeanwhile",
    "InvalidPayload",
    "InvalidRequest",
    "IssuerUnavailable",
    "LimitReached",
    "NotFound",
    "OutboundError",
    "OutdatedVersion",
    "PluginUnavailable",
    "SettingsError",
    "StoreUnavailable",
    "TooManyBodies",
    "TooManyRequests",
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
