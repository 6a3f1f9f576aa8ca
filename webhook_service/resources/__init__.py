"""The API's resources: one model per thing that is sent or answered.

The wire format, the OpenAPI document and the client come from these models.
"""

from webhook_service.resources.audit import AuditEntryResource, FieldChangeResource
from webhook_service.resources.base import (
    AnswerModel,
    ApiModel,
    CollectionResource,
    ErrorResource,
    PaginationResource,
    RequestModel,
    VersionResource,
)
from webhook_service.resources.deliveries import (
    DecisionResource,
    DeliveryResource,
    ItemResource,
    OutcomeResource,
    RefusalResource,
    ResultResource,
)
from webhook_service.resources.executions import (
    ApprovalResource,
    AttemptResource,
    CancelRequest,
    ChangeResource,
    ExecutionResource,
    ImageFactsResource,
    NoRequest,
    PushResource,
    RawCallResource,
    ReplayedResource,
    ReplayManyRequest,
    ReplayRequest,
    RollbackRequest,
    VoteResource,
)
from webhook_service.resources.holds import HoldRequest, HoldResource
from webhook_service.resources.inboxes import (
    InboxRequest,
    InboxResource,
    InboxUpdate,
    ListenerResource,
)
from webhook_service.resources.notifications import (
    NoticeResource,
    NotificationRequest,
    NotificationResource,
    NotificationUpdate,
)
from webhook_service.resources.plugins import (
    DriverResource,
    FormatResource,
    PluginResource,
    SchemeResource,
)
from webhook_service.resources.receivers import (
    AppliedResource,
    ReceiverFields,
    ReceiverResource,
    RotateRequest,
    SimulatedIgnoredResource,
    SimulatedWorkResource,
    SimulateRequest,
    SimulationResource,
)
from webhook_service.resources.revisions import RevisionResource
from webhook_service.resources.tokens import ProjectResource, TokenRequest, TokenResource

__all__ = [
    "AnswerModel",
    "ApiModel",
    "AppliedResource",
    "ApprovalResource",
    "AttemptResource",
    "CancelRequest",
    "AuditEntryResource",
    "ChangeResource",
    "CollectionResource",
    "DecisionResource",
    "DeliveryResource",
    "DriverResource",
    "ErrorResource",
    "ExecutionResource",
    "FieldChangeResource",
    "FormatResource",
    "HoldRequest",
    "HoldResource",
    "ImageFactsResource",
    "InboxRequest",
    "InboxResource",
    "InboxUpdate",
    "ItemResource",
    "ListenerResource",
    "NoRequest",
    "NoticeResource",
    "NotificationRequest",
    "NotificationResource",
    "NotificationUpdate",
    "OutcomeResource",
    "PaginationResource",
    "PluginResource",
    "ProjectResource",
    "PushResource",
    "RawCallResource",
    "ReceiverFields",
    "ReceiverResource",
    "RefusalResource",
    "ReplayManyRequest",
    "ReplayRequest",
    "ReplayedResource",
    "RequestModel",
    "ResultResource",
    "RevisionResource",
    "RollbackRequest",
    "RotateRequest",
    "SchemeResource",
    "SimulateRequest",
    "SimulatedIgnoredResource",
    "SimulatedWorkResource",
    "SimulationResource",
    "TokenRequest",
    "TokenResource",
    "VersionResource",
    "VoteResource",
]
