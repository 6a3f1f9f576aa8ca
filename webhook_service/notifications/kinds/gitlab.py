"""The kind ``gitLab``: statuses of commits.

Source: https://docs.gitlab.com/api/commits/#set-commit-pipeline-status: a description has 255
characters.
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
_STATUS = {True: "success", False: "failed", None: "pending"}


class GitLabConfig(ForgeConfig):
    """How GitLab is told."""

    url: Url = Field(
        default="https://gitlab.com",
        description="Where this GitLab is.",
    )


class ToGitLab(NotificationKind[GitLabConfig]):
    """Tells GitLab what became of the commit that an image was built of."""

    Config: ClassVar[type[DriverConfig]] = GitLabConfig

    def wants(self, notice: Notice) -> str:
        return reason_against(notice)

    def send(self, config: GitLabConfig, notice: Notice, sending: Sending) -> str:
        commit = meant_commit(notice, urlsplit(config.url).hostname or "", config.repository)
        state = _STATUS[is_good(notice)]
        body = {
            "state": state,
            "name": config.named(notice),
            "description": cut(title(notice), MAX_DESCRIPTION),
        }
        if sending.link:
            body["target_url"] = sending.link
        project = quote(commit.repository, safe="")
        url = f"{config.url.rstrip('/')}/api/v4/projects/{project}/statuses/{commit.sha}"
        headers = {"private-token": config.token.get_secret_value()}
        reply = sending.outbound.post(url, headers, json=body)
        # What stands there already is no fault: the notice may have been sent before.
        if not (reply.status == 400 and b"Cannot transition status" in reply.body):
            require(reply, commit.repository)
        return f"{commit.repository} has the status {state}."
