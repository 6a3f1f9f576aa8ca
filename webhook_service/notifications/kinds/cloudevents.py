"""The kind ``cloudEvents``: the notice as a CloudEvent, or as a CDEvent for deployments.

Sources: CloudEvents 1.0.2, "JSON Event Format" and "HTTP Protocol Binding" (structured mode);
CDEvents 0.4, "Continuous Deployment Events" (https://cdevents.dev/docs/continuous-deployment/).
"""

from __future__ import annotations

import json
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from pydantic import Field, SecretStr, field_validator

from webhook_service.driver import DriverConfig, Secret
from webhook_service.model.notice import Happened, Notice
from webhook_service.notifications.kind import NotificationKind, Sending
from webhook_service.notifications.kinds.webhook import as_data, signed, signing_key
from webhook_service.notifications.urls import SecretUrl

TYPE = "webhook-service.{happened}.v1"
_CDEVENTS = {
    Happened.SUCCEEDED: "dev.cdevents.service.upgraded.0.2.0",
    Happened.ROLLED_BACK: "dev.cdevents.service.rolledback.0.2.0",
}
SPEC_VERSION = "0.4.1"


class CloudEventsConfig(DriverConfig):
    """Who is called, and in which vocabulary."""

    url: SecretUrl = Field(description="The URL to post to; kept as a secret.")
    secret: Secret | None = Field(
        default=None,
        description="whsec_ and 24 to 64 bytes in base64: signs each call by Standard Webhooks.",
    )
    vocabulary: Literal["own", "cdevents"] = Field(
        default="own",
        description="cdevents sends service upgraded and service rolledback, and nothing else.",
    )

    @field_validator("secret")
    @classmethod
    def _is_key(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            signing_key(secret)
        return secret


class ToCloudEvents(NotificationKind[CloudEventsConfig]):
    """Posts the notice as a CloudEvent in structured mode."""

    Config: ClassVar[type[DriverConfig]] = CloudEventsConfig

    def send(self, config: CloudEventsConfig, notice: Notice, sending: Sending) -> str:
        if config.vocabulary == "cdevents" and notice.happened not in _CDEVENTS:
            return f"Left out: CDEvents have no word for {notice.happened}."
        event = _event(config, notice, sending)
        body = json.dumps(event).encode()
        headers = {
            "content-type": "application/cloudevents+json; charset=UTF-8",
            **signed(config.secret, body, sending),
        }
        reply = sending.outbound.post(config.url.get_secret_value(), headers, body)
        return f"{reply.require_ok().host} took it: {event['type']}."


def _event(config: CloudEventsConfig, notice: Notice, sending: Sending) -> dict[str, Any]:
    source = f"{sending.service}/v1-webhooks/receivers/{quote(notice.receiver_id, safe='')}"
    type_, data = TYPE.format(happened=notice.happened), as_data(notice, sending)
    if config.vocabulary == "cdevents":
        type_ = _CDEVENTS[notice.happened]
        data = _cdevent(type_, source, notice, sending)
    return {
        "specversion": "1.0",
        "id": sending.id,
        "source": source,
        "type": type_,
        "time": notice.at,
        "subject": notice.execution or notice.delivery or notice.receiver or sending.id,
        "datacontenttype": "application/json",
        "data": data,
    }


def _cdevent(type_: str, source: str, notice: Notice, sending: Sending) -> dict[str, Any]:
    target = notice.changes[0]["target"] if notice.changes else notice.receiver
    return {
        "context": {
            "version": SPEC_VERSION,
            "id": sending.id,
            "source": source,
            "type": type_,
            "timestamp": notice.at,
        },
        "subject": {
            "id": target,
            "source": source,
            "type": "service",
            "content": {
                "environment": {"id": notice.project, "source": source},
                "artifactId": _purl(notice),
            },
        },
        "customData": as_data(notice, sending),
        "customDataContentType": "application/json",
    }


def _purl(notice: Notice) -> str:
    """The image as a package URL: https://github.com/package-url/purl-spec, type oci."""
    event = notice.event
    repository = str(event.get("repository") or notice.receiver)
    name = repository.rpartition("/")[2].lower()
    version = quote(str(event.get("digest") or event.get("tag") or ""), safe="")
    at = f"@{version}" if version else ""
    url = quote(f"{event.get('registry')}/{repository}", safe="")
    tag = f"&tag={quote(str(event['tag']), safe='')}" if event.get("tag") else ""
    return f"pkg:oci/{quote(name, safe='')}{at}?repository_url={url}{tag}"
