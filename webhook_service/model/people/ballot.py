"""Ballots: the vote that one person is asked for on a held push, by a link of their own."""

from __future__ import annotations

import base64
import re
from binascii import Error
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from webhook_service.model.delivery import Reason
from webhook_service.model.execution import Execution, ExecutionState, Vote
from webhook_service.model.receiver import Receiver

LINK_LIFETIME = timedelta(days=7)
"""How long a link can be used after it was sent, if the push waits for so long."""
_LINK = re.compile(
    r"(exe_[0-9a-f]{32})\.(ntf_[0-9a-f]{32})\.([0-9]{1,12})\.([A-Za-z0-9_-]{0,1400})"
)


def voter_of(actor: str) -> str:
    """Whose vote an actor's is.

    Whom a proxy names by a mail address (``user:ada@example.com``) is who is reached at it, and who
    logs in with it at an identity provider.
    """
    user = actor.removeprefix("user:")
    return user if "@" in user else actor


@dataclass(frozen=True, slots=True)
class VoteLink:
    """What a link to vote stands for.

    Attributes:
        notification: whose message brings it.
        execution: what is voted on.
        expires: when it ends, a whole second.
        voter: whose vote it is; empty if it is that of all whom the notification tells.
    """

    notification: str
    execution: str
    expires: datetime
    voter: str = ""

    def __str__(self) -> str:
        voter = base64.urlsafe_b64encode(self.voter.encode()).rstrip(b"=").decode()
        return f"{self.execution}.{self.notification}.{int(self.expires.timestamp())}.{voter}"

    @classmethod
    def read(cls, text: str) -> Self | None:
        """The link that ``str`` wrote; None if the text is none."""
        found = _LINK.fullmatch(text)
        if found is None:
            return None
        execution, notification, expires, voter = found.groups()
        try:
            moment = datetime.fromtimestamp(int(expires), UTC)
            name = base64.urlsafe_b64decode(voter + "=" * (-len(voter) % 4)).decode()
        except (Error, ValueError, OverflowError):
            return None
        return cls(notification, execution, moment, name)


@dataclass(frozen=True, slots=True)
class Ballot:
    """A link to vote, with what it asks about as it stands at the moment ``now``.

    Attributes:
        receiver: None once it is deleted.
        targets: what it may change, as its driver names it.
        voter: whose vote it is.
    """

    link: VoteLink
    execution: Execution
    receiver: Receiver | None
    targets: tuple[str, ...]
    voter: str
    now: datetime

    @property
    def cast(self) -> Vote | None:
        """What the voter has said already, by this link or in another way."""
        approval = self.execution.approval
        votes = () if approval is None else approval.votes
        mine = voter_of(self.voter)
        return next((vote for vote in votes if voter_of(vote.voter) == mine), None)

    @property
    def until(self) -> datetime:
        """Until when the vote can be cast."""
        approval = self.execution.approval
        ends = None if approval is None else approval.until
        return self.link.expires if ends is None else min(self.link.expires, ends)

    @property
    def waits(self) -> bool:
        """Whether the execution still waits for votes."""
        return self._undecided and not self.too_late

    @property
    def too_late(self) -> bool:
        """Whether the time for approval is over, and nobody has decided."""
        approval = self.execution.approval
        until = None if approval is None else approval.until
        return self._undecided and until is not None and until <= self.now

    @property
    def expired(self) -> bool:
        """Whether the link has ended, though the execution waits."""
        return self.waits and self.cast is None and self.link.expires <= self.now

    @property
    def open(self) -> bool:
        """Whether the link can be used."""
        return self.waits and self.cast is None and not self.expired

    @property
    def _undecided(self) -> bool:
        held = self.execution.state is ExecutionState.HELD
        return held and self.execution.reason == Reason.APPROVAL
