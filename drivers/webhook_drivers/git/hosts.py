"""The repository of a config, by its host's API or by Git itself, with its credentials."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING

import jwt

from webhook_drivers.git.config import GitCommitConfig, GitHubApp
from webhook_drivers.git.forges.api import ForgeApi, require
from webhook_drivers.git.forges.bitbucket import Bitbucket
from webhook_drivers.git.forges.gitea import Gitea
from webhook_drivers.git.forges.github import GitHub
from webhook_drivers.git.forges.gitlab import GitLab
from webhook_drivers.git.repository import GitRepository
from webhook_service import InvalidConfig

if TYPE_CHECKING:
    from webhook_service import Outbound

GITHUB = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}
# Tokens of installations are valid for an hour.
APP_TOKEN_SECONDS = 3000.0
MAX_TOKENS = 1000


class Hosts:
    """Makes repositories; used by many threads at once."""

    def __init__(self, http: Outbound) -> None:
        self._http = http
        self._tokens: dict[tuple[str, int, int, str], tuple[float, str]] = {}
        self._lock = Lock()

    def repository(self, config: GitCommitConfig) -> GitRepository:
        token = config.token.get_secret_value() if config.token else ""
        origin, name = config.origin, config.name
        match config.host_api:
            case "github":
                own = origin.endswith("//github.com")
                base = "https://api.github.com" if own else f"{origin}/api/v3"
                base = config.api_url or base
                return GitHub(
                    self._api(base, self._github(config, base, token)),
                    name,
                    f"{base.removesuffix('/v3')}/graphql",
                )
            case "gitlab":
                base = config.api_url or f"{origin}/api/v4"
                return GitLab(self._api(base, _fixed({"private-token": token}, token)), name)
            case "gitea":
                base = config.api_url or f"{origin}/api/v1"
                return Gitea(
                    self._api(base, _fixed({"authorization": f"token {token}"}, token)), name
                )
            case "bitbucket":
                base = config.api_url or "https://api.bitbucket.org/2.0"
                return Bitbucket(
                    self._api(base, _fixed({"authorization": f"Bearer {token}"}, token)), name
                )
        from webhook_drivers.git.smart_http import SmartHttp

        secret = base64.b64encode(f"{config.username}:{token}".encode()).decode()
        headers = {"authorization": f"Basic {secret}"} if token else {}
        path = config.repository[len(origin) :].lstrip("/")
        return SmartHttp(self._http, f"{origin}/", path, headers)

    def _api(self, base: str, headers: Callable[[], Mapping[str, str]]) -> ForgeApi:
        return ForgeApi(self._http, base, headers)

    def _github(
        self, config: GitCommitConfig, base: str, token: str
    ) -> Callable[[], Mapping[str, str]]:
        app = config.app
        if app is None:
            return _fixed({**GITHUB, "authorization": f"Bearer {token}"}, token, GITHUB)
        return lambda: {**GITHUB, "authorization": f"Bearer {self._app_token(base, app)}"}

    def _app_token(self, base: str, app: GitHubApp) -> str:
        """A token of the installation, asked for once in 50 minutes.

        https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
        """
        # The key is a part of it: who knows only the numbers of an app gets nothing.
        secret = app.private_key.get_secret_value()
        key = (base, app.app_id, app.installation_id, sha256(secret.encode()).hexdigest())
        with self._lock:
            until, token = self._tokens.get(key, (0.0, ""))
        if time.monotonic() < until:
            return token
        now = int(time.time())
        claims = {"iat": now - 60, "exp": now + 540, "iss": str(app.app_id)}
        try:
            signed = jwt.encode(claims, secret, algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError):
            raise InvalidConfig("app.privateKey is no RSA key in PEM.") from None
        where = f"{base}/app/installations/{app.installation_id}/access_tokens"
        headers = {**GITHUB, "authorization": f"Bearer {signed}"}
        token = str(require(self._http.post(where, headers)).json()["token"])
        with self._lock:
            if len(self._tokens) >= MAX_TOKENS:
                self._tokens.clear()
            self._tokens[key] = (time.monotonic() + APP_TOKEN_SECONDS, token)
        return token


def _fixed(
    headers: Mapping[str, str], token: str, without: Mapping[str, str] | None = None
) -> Callable[[], Mapping[str, str]]:
    """The same for each call; none that would carry an empty token."""
    chosen = headers if token else without or {}
    return lambda: chosen
