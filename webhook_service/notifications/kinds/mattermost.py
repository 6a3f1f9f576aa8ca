"""The kind ``mattermost``: an incoming webhook, with Markdown.

Source: https://developers.mattermost.com/integrate/webhooks/incoming/
"""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import Field

from webhook_service.driver import DriverConfig
from webhook_service.model.notice import Notice
from webhook_service.notifications.kind import NotificationKind, Sending
from webhook_service.notifications.texts import LOOK, VOTE, cut, plain, sign, title
from webhook_service.notifications.urls import SecretUrl

# A post of Mattermost has 16,383 characters; https://docs.mattermost.com/
MAX_TEXT = 16_000
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#!|~@])")


class MattermostConfig(DriverConfig):
    """Which channel."""

    url: SecretUrl = Field(description="The incoming webhook's URL, https://…/hooks/…")


class ToMattermost(NotificationKind[MattermostConfig]):
    """Posts to a channel of Mattermost."""

    Config: ClassVar[type[DriverConfig]] = MattermostConfig
    shows_vote_link = True

    def send(self, config: MattermostConfig, notice: Notice, sending: Sending) -> str:
        text = f"#### {sign(notice)} {escaped(title(notice))}\n{escaped(plain(notice))}"
        links = ((VOTE, sending.vote_link("")), (LOOK, sending.link))
        end = "".join(f"\n[{name}]({link})" for name, link in links if link)
        body = {"text": cut(text, MAX_TEXT - len(end)) + end}
        reply = sending.outbound.post(config.url.get_secret_value(), json=body)
        return f"{reply.require_ok().host} took it."


def escaped(text: str) -> str:
    """A text whose characters mean themselves in Markdown: nobody is mentioned by a tag."""
    return _SPECIAL.sub(r"\\\1", text)
