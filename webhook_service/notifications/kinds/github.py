"""The kind ``gitHub``: statuses of commits, or deployments with their statuses.

Sources: https://docs.github.com/rest/commits/statuses (a description has 140 characters) and
https://docs.github.com/rest/deployments.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal
from urllib.parse import quote, urlencode, urlsplit

from pydantic import Field

from webhook_service.driver import DriverConfig
from webhook_service.model.notice import Notice
from webhook_service.notifications.kind import NotificationKind, Sending
from webhook_service.notifications.kinds.commits import (
    ForgeConfig,
    SourceCommit,
    is_good,
    meant_commit,
    reason_against,
    require,
)
from webhook_service.notifications.texts import cut, title
from webhook_service.notifications.urls import Url

API, HOST = "https://api.github.com", "github.com"
MAX_DESCRIPTION = 140
_STATUS = {True: "success", False: "failure", None: "pending"}


class GitHubConfig(ForgeConfig):
    """How GitHub is told."""

    as_: Literal["status", "deployment"] = Field(
        default="status",
        alias="as",
        description="A status of the commit, or a deployment with its status.",
    )
    environment: str = Field(
        default="production",
        min_length=1,
        max_length=255,
        description="The environment of deployments.",
    )
    api: Url = Field(
        default=API,
        description="Of GitHub Enterprise: https://github.example.com/api/v3",
    )

    @property
    def host(self) -> str:
        return HOST if self.api == API else urlsplit(self.api).hostname or ""


class ToGitHub(NotificationKind[GitHubConfig]):
    """Tells GitHub what became of the commit that an image was built of."""

    Config: ClassVar[type[DriverConfig]] = GitHubConfig

    def wants(self, notice: Notice) -> str:
        return reason_against(notice)

    def send(self, config: GitHubConfig, notice: Notice, sending: Sending) -> str:
        commit = meant_commit(notice, config.host, config.repository)
        call = _Call(config, sending, commit)
        about = {"description": cut(title(notice), MAX_DESCRIPTION)}
        if config.as_ == "status":
            link = {"target_url": sending.link} if sending.link else {}
            status = {"state": _STATUS[is_good(notice)], "context": config.named(notice)}
            call("POST", f"/statuses/{commit.sha}", {**status, **about, **link})
            return f"{commit.repository} has the status {status['state']}."
        state = _STATUS[is_good(notice)]
        deployment = self._deployment(call, config, commit)
        link = {"log_url": sending.link} if sending.link else {}
        body = {"state": state, "environment": config.environment, **about, **link}
        call("POST", f"/deployments/{deployment}/statuses", body)
        return f"{commit.repository} has a deployment to {config.environment}: {state}."

    def _deployment(self, call: _Call, config: GitHubConfig, commit: SourceCommit) -> int:
        """The deployment of the commit: made once, also if a notice is sent again."""
        query = urlencode({"sha": commit.sha, "environment": config.environment, "per_page": 1})
        found = call("GET", f"/deployments?{query}")
        if found:
            return int(found[0]["id"])
        made = call(
            "POST",
            "/deployments",
            {
                "ref": commit.sha,
                "environment": config.environment,
                "auto_merge": False,
                "required_contexts": [],
                "description": "Deployed by webhook-service",
            },
        )
        return int(made["id"])


class _Call:
    """Calls of GitHub's API about one repository."""

    def __init__(self, config: GitHubConfig, sending: Sending, commit: SourceCommit) -> None:
        self._config = config
        self._sending = sending
        self._commit = commit

    def __call__(self, method: str, path: str, json: object = None) -> Any:
        """The answer's JSON."""
        repository = self._commit.repository
        reply = self._sending.outbound.request(
            method,
            f"{self._config.api}/repos/{quote(repository)}{path}",
            {
                "accept": "application/vnd.github+json",
                "authorization": f"Bearer {self._config.token.get_secret_value()}",
                "x-github-api-version": "2022-11-28",
            },
            json=json,
        )
        return require(reply, repository).json()
