"""The kind ``pagerDuty``: an incident while something is wrong, and its end when it is not.

Source: https://developer.pagerduty.com/docs/send-alert-event (Events API v2): a summary has 1024
characters, a ``dedup_key`` 255.
"""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar, Literal

from pydantic import Field

from webhook_service.driver import DriverConfig, Secret
from webhook_service.model.notice import Happened, Notice
from webhook_service.notifications.kind import NotificationKind, Sending
from webhook_service.notifications.texts import LOOK, VOTE, cut, facts, title
from webhook_service.notifications.urls import Url

URL = "https://events.pagerduty.com/v2/enqueue"
MAX_SUMMARY = 1024
_ENDS = frozenset({Happened.SUCCEEDED, Happened.TEST})


class PagerDutyConfig(DriverConfig):
    """Which service of PagerDuty, and how bad it is."""

    routing_key: Secret = Field(description="The integration key of an Events API v2 integration.")
    severity: Literal["critical", "error", "warning", "info"] = Field(
        default="error", description="Of what is wrong."
    )
    url: Url = Field(
        default=URL,
        description="Where events go; accounts in the EU have another address.",
    )


class ToPagerDuty(NotificationKind[PagerDutyConfig]):
    """Triggers an incident of PagerDuty, and resolves it when a push of the receiver succeeds."""

    Config: ClassVar[type[DriverConfig]] = PagerDutyConfig
    shows_vote_link = True

    def send(self, config: PagerDutyConfig, notice: Notice, sending: Sending) -> str:
        body = _body(config, notice, sending)
        reply = sending.outbound.post(config.url, json=body).require_ok()
        return f"{reply.host} took it: {body['event_action']}."


def _body(config: PagerDutyConfig, notice: Notice, sending: Sending) -> dict[str, Any]:
    resolves = notice.happened in _ENDS
    body: dict[str, Any] = {
        "routing_key": config.routing_key.get_secret_value(),
        "event_action": "resolve" if resolves else "trigger",
        # One incident for each receiver and image, however often it fails.
        "dedup_key": _key(notice),
        "client": "webhook-service",
        "payload": {
            "summary": cut(title(notice), MAX_SUMMARY),
            "source": notice.receiver or notice.project,
            "severity": "info" if resolves else config.severity,
            "timestamp": notice.at,
            "component": notice.image,
            "custom_details": {"message": notice.message, **dict(facts(notice))},
        },
    }
    links = ((VOTE, sending.vote_link("")), (LOOK, sending.link))
    if any(link for _, link in links):
        body["links"] = [{"href": link, "text": name} for name, link in links if link]
    return body


def _key(notice: Notice) -> str:
    repository = f"{notice.event.get('registry')}/{notice.event.get('repository')}"
    about = "\n".join([notice.project, notice.receiver_id, repository])
    return f"webhook-service-{hashlib.sha256(about.encode()).hexdigest()}"
