"""The wire: what is stored becomes the API's resources, as JSON."""

from webhook_service.host.wire.access import audit_json, hold_json, project_json, token_json
from webhook_service.host.wire.answers import (
    Json,
    answer,
    collection,
    error_json,
    page_json,
    version_json,
)
from webhook_service.host.wire.deliveries import decision_json, delivery_json, outcome_json
from webhook_service.host.wire.executions import (
    change_resource,
    execution_json,
    replayed_json,
    revision_json,
)
from webhook_service.host.wire.inboxes import inbox_json
from webhook_service.host.wire.notifications import notice_json, notification_json
from webhook_service.host.wire.plugins import driver_json, format_json, schema_of, scheme_json
from webhook_service.host.wire.receivers import applied_json, receiver_json

__all__ = [
    "Json",
    "answer",
    "applied_json",
    "audit_json",
    "change_resource",
    "collection",
    "decision_json",
    "delivery_json",
    "driver_json",
    "error_json",
    "execution_json",
    "format_json",
    "hold_json",
    "inbox_json",
    "notice_json",
    "notification_json",
    "outcome_json",
    "page_json",
    "project_json",
    "receiver_json",
    "replayed_json",
    "revision_json",
    "schema_of",
    "scheme_json",
    "token_json",
    "version_json",
]
