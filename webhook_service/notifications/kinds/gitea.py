"""The kind ``gitea``: statuses of commits, at Gitea and Forgejo.

Source: https://docs.gitea.com/api, "repoCreateStatus".
"""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import quote, urlsplit

from pydantic import Field

from webhook_service.driver import DriverConfig
from webhook_service.model.notice import Notice
from webhook_service.notifications.kind import NotificationKind, Sending
from webhook_service.notifications.kinds.commits import (
    ForgeConfig,
    is_good,
    meant_commit,
    reason_against,
    require,
)
from webhook_service.notifications.texts import cut, title
from webhook_service.notifications.urls import Url

MAX_DESCRIPTION = 255
_STATUS = {True: "success", False: "failure", None: "pending"}


class GiteaConfig(ForgeConfig):
    """How Gitea is told."""

    url: Url = Field(description="Where this Gitea or Forgejo is.")


class ToGitea(NotificationKind[GiteaConfig]):
    """Tells Gitea or Forgejo what became of the commit that an image was built of."""

    Config: ClassVar[type[DriverConfig]] = GiteaConfig

    def wants(self, notice: Notice) -> str:
        return reason_against(notice)

    def send(self, config: GiteaConfig, notice: Notice, sending: Sending) -> str:
        commit = meant_commit(notice, urlsplit(config.url).hostname or "", config.repository)
        state = _STATUS[is_good(notice)]
        body = {
            "state": state,
            "context": config.named(notice),
            "description": cut(title(notice), MAX_DESCRIPTION),
        }
        if sending.link:
            body["target_url"] = sending.link
        path = f"/api/v1/repos/{quote(commit.repository)}/statuses/{commit.sha}"
        headers = {"authorization": f"token {config.token.get_secret_value()}"}
        reply = sending.outbound.post(f"{config.url.rstrip('/')}{path}", headers, json=body)
        require(reply, commit.repository)
        return f"{commit.repository} has the status {state}."
