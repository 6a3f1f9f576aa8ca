"""What forges have in common: which commit of which repository an image was built of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import Field

from webhook_service.driver import DriverConfig, Secret
from webhook_service.errors import DriverError
from webhook_service.model.notice import Happened, Notice
from webhook_service.net.reply import OutboundReply
from webhook_service.notifications.texts import cut

_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}(/[A-Za-z0-9._-]{1,100}){1,20}")
UNKNOWN = (
    "The image does not say of which commit it was built: label it with "
    "org.opencontainers.image.revision and .source, and let the receiver ask its registry."
)
NOT_MEANT = "Commits are told of pushes that succeeded, failed, were rolled back, or wait."
_STATES = {
    Happened.SUCCEEDED: True,
    Happened.FAILED: False,
    Happened.ROLLED_BACK: False,
    Happened.HELD: None,
}


@dataclass(frozen=True, slots=True)
class SourceCommit:
    """A commit of a repository, by its path at the forge: ``acme/shop``."""

    host: str
    repository: str
    sha: str


def commit_of(notice: Notice) -> SourceCommit | None:
    """The commit that the image names; None if it names none."""
    sha = str(notice.facts.get("revision") or "")
    try:
        source = urlsplit(str(notice.facts.get("source") or ""))
        host = source.hostname or ""
    except ValueError:
        return None
    repository = source.path.strip("/").removesuffix(".git")
    dots = any(part in (".", "..") for part in repository.split("/"))
    if not (_SHA.fullmatch(sha) and _NAME.fullmatch(repository)) or dots or not host:
        return None
    return SourceCommit(host, repository, sha)


def reason_against(notice: Notice) -> str:
    """Why nothing is told to a forge; empty if something is."""
    if notice.happened not in _STATES:
        return NOT_MEANT
    return UNKNOWN if commit_of(notice) is None else ""


def is_good(notice: Notice) -> bool | None:
    """Whether the commit is deployed; None while that is open.

    Deployed again by people, an older commit is good; that of a push which went back is not.
    """
    if notice.happened is Happened.ROLLED_BACK and notice.state == "succeeded":
        return True
    return _STATES.get(notice.happened)


def meant_commit(notice: Notice, host: str, repository: str | None) -> SourceCommit:
    """The commit to tell of, if it is where the token's owner meant it to be.

    Raises:
        DriverError: the image names another place.
    """
    commit = commit_of(notice)
    if commit is None:
        raise DriverError(UNKNOWN, code="commit_unknown")
    if commit.host != host or repository not in (None, commit.repository):
        meant = f"{host}/{repository}" if repository else host
        raise DriverError(
            f"The image's source is {commit.host}/{commit.repository}, and this is for {meant}.",
            code="other_repository",
        )
    return commit


def require(reply: OutboundReply, repository: str) -> OutboundReply:
    """The reply, if the forge took the call.

    Raises:
        Retry, DriverError: it did not; the message says what to do.
    """
    try:
        return reply.require_ok()
    except DriverError as error:
        if reply.status in (401, 403, 404):
            error.message += f" Give a token that may write statuses of {repository}."
        raise


class ForgeConfig(DriverConfig):
    """What every forge needs to know."""

    token: Secret = Field(description="A token that may write commit statuses.")
    repository: str | None = Field(
        default=None,
        pattern=_NAME.pattern,
        max_length=500,
        description="The only repository whose commits are told, such as acme/shop. Without it "
        "the image says which: then let the token reach no other repositories.",
    )
    name: str = Field(
        default="webhook-service/{receiver}",
        min_length=1,
        max_length=200,
        description="What the status is called; {receiver} is the receiver's name.",
    )

    def named(self, notice: Notice) -> str:
        """The status's name for a notice."""
        return cut(self.name.replace("{receiver}", notice.receiver), 255)
