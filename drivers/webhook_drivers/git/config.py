"""What a receiver says about the repository, the file and the way of a change."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, field_validator, model_validator

from webhook_drivers.git.edits import Edit, KustomizationEdit
from webhook_drivers.git.repository import Author
from webhook_drivers.kubernetes.images.target_config import ClusterConfig, DnsLabel, DnsSubdomain
from webhook_drivers.pushed import Template
from webhook_service import DriverConfig, Secret

HOSTS = {
    "github.com": "github",
    "gitlab.com": "gitlab",
    "codeberg.org": "gitea",
    "gitea.com": "gitea",
    "bitbucket.org": "bitbucket",
}
# https://git-scm.com/docs/git-check-ref-format
Branch = Annotated[
    str,
    StringConstraints(max_length=200, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./{}+@-]*$"),
]
Path = Annotated[str, Field(max_length=400, pattern=r"^[A-Za-z0-9_.][A-Za-z0-9_./ +@-]*$")]


class AuthorConfig(DriverConfig):
    """Who the commits are by."""

    name: str = Field(default="webhook-service", pattern=r"^[^<>\r\n]{1,100}$")
    email: str = Field(default="webhook-service@localhost", pattern=r"^[^<>\s]{1,200}$")


class GitHubApp(DriverConfig):
    """An installation of a GitHub App, instead of a token."""

    app_id: int = Field(ge=1)
    installation_id: int = Field(ge=1)
    private_key: Secret = Field(description="The key of the app, in PEM.")


class PullRequestConfig(DriverConfig):
    """How changes are proposed."""

    title: Template = "Deploy {image}"
    body: Template | None = Field(
        default=None, description="Stands above the evidence, which is always there."
    )
    labels: tuple[Annotated[str, Field(min_length=1, max_length=50)], ...] = Field(
        default=(), max_length=20
    )
    auto_merge: bool = Field(
        default=False, description="Let the host merge it as soon as its checks allow it."
    )


class PushConfig(DriverConfig):
    """Where commits go: to the branch itself, or by a pull request from another one."""

    branch: Branch | None = Field(
        default=None,
        description="Of the pull request; by default webhook-service/{repository}-{receiver}.",
    )
    pull_request: PullRequestConfig | None = Field(
        default=None, description="Without it the commit goes to `branch` of the config itself."
    )

    @model_validator(mode="after")
    def _branch_needs_a_request(self) -> Self:
        if self.branch is not None and self.pull_request is None:
            raise ValueError("push.branch is for pull requests: say `pullRequest`, or leave it out")
        return self


class Follow(ClusterConfig):
    """What is to show the commit before the execution succeeds."""

    kind: Literal[
        "Deployment", "StatefulSet", "DaemonSet", "Application", "Kustomization", "HelmRelease"
    ] = Field(
        default="Deployment",
        description="A workload is to run the image; what is of Argo CD or Flux is to have applied "
        "the commit and to be healthy.",
    )
    namespace: DnsLabel
    name: DnsSubdomain
    timeout_seconds: int = Field(
        default=3600, ge=1, le=86400, description="Counted from the commit, or the merge."
    )


class GitCommitConfig(DriverConfig):
    """Which value of which file a push changes, and how that is brought to its branch."""

    repository: str = Field(
        max_length=400, description="The URL of the repository: https://github.com/acme/deploy."
    )
    via: Literal["auto", "github", "gitlab", "gitea", "bitbucket", "git"] = Field(
        default="auto",
        description="The API of the host, or Git itself; `auto` knows github.com, gitlab.com, "
        "bitbucket.org, codeberg.org and gitea.com, and takes Git elsewhere.",
    )
    api_url: str | None = Field(
        default=None, max_length=400, description="The API, where it is not at its usual place."
    )
    token: Secret | None = Field(
        default=None, description="A token that may write the repository and its pull requests."
    )
    username: str = Field(
        default="x-access-token", max_length=100, description="Beside the token, for Git itself."
    )
    app: GitHubApp | None = Field(default=None, description="A GitHub App, instead of a token.")
    branch: Branch = Field(default="main", description="The branch that is deployed from.")
    path: Path = Field(description="The file, from the root of the repository.")
    edit: Edit = Field(default=KustomizationEdit(), description="Which values are changed.")
    pin: bool = Field(default=True, description="Write the digest of the push beside its tag.")
    message: Template = Field(default="Deploy {image}", description="The message of the commit.")
    author: AuthorConfig = AuthorConfig()
    push: PushConfig = PushConfig()
    follow: Follow | None = Field(
        default=None, description="Wait until this shows the commit; without it nothing is awaited."
    )

    @field_validator("repository", "api_url")
    @classmethod
    def _is_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ValueError("must be a URL with https:// and without credentials")
        # Asking for a port that is none raises.
        plain = url.isascii() and url.isprintable() and " " not in url and parts.port != 0
        if parts.query or parts.fragment or not plain:
            raise ValueError("must be a plain URL, without ? and #")
        return url.rstrip("/")

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, path: str) -> str:
        if {"", ".", "..", ".git"} & set(path.split("/")):
            raise ValueError("must be a path of a file, without . and ..")
        return path

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if "/" not in self.name:
            raise ValueError("the repository needs an owner and a name: https://host/owner/name")
        if self.push.pull_request and self.host_api == "git":
            raise ValueError(
                "Git itself has no pull requests: say with `via` which API the host has"
            )
        if self.app and (self.token or self.host_api != "github"):
            raise ValueError("`app` is for GitHub, instead of `token`")
        if "{" in self.branch:
            raise ValueError("`branch` is a name, without values of the push")
        return self

    @property
    def host_api(self) -> str:
        known = HOSTS.get((urlsplit(self.repository).hostname or "").removeprefix("www."), "git")
        return known if self.via == "auto" else self.via

    @property
    def origin(self) -> str:
        parts = urlsplit(self.repository)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def name(self) -> str:
        """``owner/name``."""
        return urlsplit(self.repository).path.strip("/").removesuffix(".git")

    @property
    def who(self) -> Author:
        return Author(self.author.name, self.author.email)

    @property
    def target(self) -> str:
        """The file, as changes and history name it."""
        return f"{self.repository} {self.branch} {self.path}"
