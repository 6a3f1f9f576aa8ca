"""The kind ``teams``: a workflow of Microsoft Teams, with an adaptive card.

Source: https://learn.microsoft.com/connectors/teams/ ("When a Teams webhook request is received")
and https://adaptivecards.io/explorer/, version 1.4. A message has 28 KB. Texts stand in runs, for a
``TextBlock`` and a ``FactSet`` read Markdown, and senders choose names, tags and labels:
https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features
"""

from __future__ import annotations

from itertools import islice
from typing import Any, ClassVar

from pydantic import Field

from webhook_service.driver import DriverConfig
from webhook_service.model.notice import Notice
from webhook_service.notifications.kind import NotificationKind, Sending
from webhook_service.notifications.texts import GOOD, LOOK, VOTE, cut, facts, sign, title
from webhook_service.notifications.urls import SecretUrl

MAX_TEXT, MAX_VALUE, MAX_FACTS = 4000, 500, 20
SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"


class TeamsConfig(DriverConfig):
    """Which channel or chat."""

    url: SecretUrl = Field(
        description="The URL of a workflow that begins with 'When a Teams webhook request is "
        "received' and posts the card."
    )


class ToTeams(NotificationKind[TeamsConfig]):
    """Posts a card to Microsoft Teams."""

    Config: ClassVar[type[DriverConfig]] = TeamsConfig
    shows_vote_link = True

    def send(self, config: TeamsConfig, notice: Notice, sending: Sending) -> str:
        reply = sending.outbound.post(config.url.get_secret_value(), json=_body(notice, sending))
        return f"{reply.require_ok().host} took it."


def _body(notice: Notice, sending: Sending) -> dict[str, Any]:
    card: dict[str, Any] = {
        "$schema": SCHEMA,
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            _paragraph(
                _run(
                    cut(f"{sign(notice)} {title(notice)}", MAX_VALUE),
                    weight="Bolder",
                    size="Medium",
                    color="Good" if notice.happened in GOOD else "Attention",
                )
            ),
            _paragraph(_run(cut(notice.message, MAX_TEXT) or " ")),
            *[
                _paragraph(
                    _run(f"{cut(name, MAX_VALUE)}: ", weight="Bolder"),
                    _run(cut(value, MAX_VALUE)),
                )
                for name, value in islice(facts(notice), MAX_FACTS)
            ],
        ],
    }
    links = ((VOTE, sending.vote_link("")), (LOOK, sending.link))
    if any(link for _, link in links):
        card["actions"] = [
            {"type": "Action.OpenUrl", "title": name, "url": link} for name, link in links if link
        ]
    content_type = "application/vnd.microsoft.card.adaptive"
    return {
        "type": "message",
        "attachments": [{"contentType": content_type, "contentUrl": None, "content": card}],
    }


def _paragraph(*runs: dict[str, str]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [*runs]}


def _run(text: str, **look: str) -> dict[str, str]:
    """A text in which no character means anything."""
    # Dates in double braces are functions.
    return {"type": "TextRun", "text": text.replace("{{", "{ {"), **look}
