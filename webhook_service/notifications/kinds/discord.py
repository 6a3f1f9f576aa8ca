"""The kind ``discord``: a webhook of a channel, with an embed.

Source: https://discord.com/developers/docs/resources/message#embed-object-embed-limits: a title
has 256 characters, a description 4096, a field's name 256 and its value 1024, 25 fields, and all
of it 6000.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from webhook_service.driver import DriverConfig
from webhook_service.model.notice import Notice
from webhook_service.notifications.kind import NotificationKind, Sending
from webhook_service.notifications.kinds.mattermost import escaped
from webhook_service.notifications.texts import GOOD, VOTE, cut, facts, sign, title
from webhook_service.notifications.urls import SecretUrl

MAX_TITLE, MAX_TEXT, MAX_NAME, MAX_VALUE, MAX_FIELDS = 256, 2000, 100, 200, 12
GREEN, RED = 0x2DA44E, 0xCF222E


class DiscordConfig(DriverConfig):
    """Which channel."""

    url: SecretUrl = Field(description="The webhook's URL, https://discord.com/api/webhooks/…")


class ToDiscord(NotificationKind[DiscordConfig]):
    """Posts to a channel of Discord."""

    Config: ClassVar[type[DriverConfig]] = DiscordConfig
    shows_vote_link = True

    def send(self, config: DiscordConfig, notice: Notice, sending: Sending) -> str:
        reply = sending.outbound.post(config.url.get_secret_value(), json=_body(notice, sending))
        return f"{reply.require_ok().host} took it."


def _body(notice: Notice, sending: Sending) -> dict[str, Any]:
    vote = sending.vote_link("")
    end = f"\n[{VOTE}]({vote})" if vote else ""
    embed: dict[str, Any] = {
        "title": cut(f"{sign(notice)} {title(notice)}", MAX_TITLE),
        "description": cut(escaped(notice.message), MAX_TEXT - len(end)) + end,
        "color": GREEN if notice.happened in GOOD else RED,
        "timestamp": notice.at,
        "fields": [
            {"name": cut(name, MAX_NAME), "value": cut(escaped(value), MAX_VALUE), "inline": True}
            for name, value in facts(notice)
        ][:MAX_FIELDS],
    }
    if sending.link:
        embed["url"] = sending.link
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}
