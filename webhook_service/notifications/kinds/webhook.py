"""The kind ``webhook``: the notice as JSON, signed by Standard Webhooks.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hmac
import json
from binascii import Error
from typing import Any, ClassVar

from pydantic import Field, SecretStr, field_validator

from webhook_service.driver import DriverConfig, Secret
from webhook_service.model.notice import Notice
from webhook_service.notifications.kind import NotificationKind, Sending
from webhook_service.notifications.urls import SecretUrl

PREFIX = "whsec_"


class WebhookConfig(DriverConfig):
    """Who is called, and what signs the call."""

    url: SecretUrl = Field(description="The URL to post to; kept as a secret.")
    secret: Secret | None = Field(
        default=None,
        description="whsec_ and 24 to 64 bytes in base64: signs each call by Standard Webhooks.",
    )

    @field_validator("secret")
    @classmethod
    def _is_key(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            signing_key(secret)
        return secret


class ToWebhook(NotificationKind[WebhookConfig]):
    """Posts the notice as JSON."""

    Config: ClassVar[type[DriverConfig]] = WebhookConfig
    shows_vote_link = True

    def send(self, config: WebhookConfig, notice: Notice, sending: Sending) -> str:
        data = as_data(notice, sending)
        if vote := sending.vote_link(""):
            data["voteLink"] = vote
        happened = f"webhook-service.{notice.happened}"
        body = json.dumps({"type": happened, "timestamp": notice.at, "data": data}).encode()
        headers = {"content-type": "application/json", **signed(config.secret, body, sending)}
        reply = sending.outbound.post(config.url.get_secret_value(), headers, body)
        return f"{reply.require_ok().host} took it."


def as_data(notice: Notice, sending: Sending) -> dict[str, Any]:
    """A notice for programs, in the names of the API; what is not known is left out."""
    found: dict[str, Any] = {
        "happened": notice.happened,
        "projectId": notice.project,
        "receiver": {"id": notice.receiver_id, "name": notice.receiver},
        "execution": notice.execution,
        "delivery": notice.delivery,
        "driver": notice.driver,
        "state": notice.state,
        "reason": notice.reason,
        "message": notice.message,
        "by": notice.by,
        "byName": notice.by_name,
        "event": dict(notice.event),
        "changes": [dict(change) for change in notice.changes],
        "link": sending.link,
    }
    if notice.approvals:
        found["approval"] = {"needed": notice.approvals, "until": notice.approve_by}
    return {name: value for name, value in found.items() if value}


def signed(secret: SecretStr | None, body: bytes, sending: Sending) -> dict[str, str]:
    """The headers of Standard Webhooks; without a secret there is no signature in them."""
    at = str(int(sending.at.timestamp()))
    headers = {"webhook-id": sending.id, "webhook-timestamp": at}
    if secret is not None:
        content = f"{sending.id}.{at}.".encode() + body
        mac = hmac.digest(signing_key(secret), content, "sha256")
        headers["webhook-signature"] = f"v1,{base64.b64encode(mac).decode()}"
    return headers


def signing_key(secret: SecretStr) -> bytes:
    """The bytes of a secret.

    Raises:
        ValueError: it is none.
    """
    text = secret.get_secret_value()
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except Error:
        key = b""
    if not text.startswith(PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError(f"must be {PREFIX} and 24 to 64 bytes in base64")
    return key
