"""The kind ``slack``: an incoming webhook, with Block Kit.

Source: https://api.slack.com/reference/block-kit/blocks: a header has 150 characters, a section's
text 3000, its fields are ten of 2000 characters each.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from webhook_service.driver import DriverConfig
from webhook_service.model.notice import Notice
from webhook_service.notifications.kind import NotificationKind, Sending
from webhook_service.notifications.texts import LOOK, VOTE, cut, facts, sign, title
from webhook_service.notifications.urls import SecretUrl

MAX_HEADER, MAX_TEXT, MAX_FIELD, MAX_FIELDS = 150, 3000, 2000, 10
# Of the title, before it is escaped.
MAX_SHORT = 500
_ESCAPES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}


class SlackConfig(DriverConfig):
    """Which channel."""

    url: SecretUrl = Field(
        description="The incoming webhook's URL, https://hooks.slack.com/services/…"
    )


class ToSlack(NotificationKind[SlackConfig]):
    """Posts to a channel of Slack."""

    Config: ClassVar[type[DriverConfig]] = SlackConfig
    shows_vote_link = True

    def send(self, config: SlackConfig, notice: Notice, sending: Sending) -> str:
        reply = sending.outbound.post(config.url.get_secret_value(), json=_body(notice, sending))
        return f"{reply.require_ok().host} took it."


def _body(notice: Notice, sending: Sending) -> dict[str, Any]:
    head = f"{sign(notice)} {title(notice)}"
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(head, MAX_HEADER)}]
    if notice.message:
        blocks.append({"type": "section", "text": _plain(notice.message, MAX_TEXT)})
    fields = [_plain(f"{name}\n{value}", MAX_FIELD) for name, value in facts(notice)]
    blocks.append({"type": "section", "fields": fields[:MAX_FIELDS]})
    links = ((VOTE, sending.vote_link("")), (LOOK, sending.link))
    for text in [f"<{link}|{name}>" for name, link in links if link]:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": text}})
    # What notifications of the operating system show, and who cannot show blocks.
    return {"text": _escaped(cut(head, MAX_SHORT)), "mrkdwn": False, "blocks": blocks}


def _plain(text: str, limit: int) -> dict[str, Any]:
    """A text in which no character means anything: senders choose names, tags and labels.

    https://docs.slack.dev/reference/block-kit/composition-objects/text-object
    """
    return {"type": "plain_text", "text": cut(text, limit), "emoji": False}


def _escaped(text: str) -> str:
    """https://api.slack.com/reference/surfaces/formatting#escaping"""
    return text.translate(_ESCAPES)
