"""Deliveries: one call of a sender, the decision on it, and why.

Every call that carried a valid key and a readable body is kept with its decision. Of the calls that
were refused, the newest few of each receiver are kept; those with an unknown key are only counted,
so that strangers cannot fill the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from webhook_service.driver import PushEvent, Request
from webhook_service.model.people.audit import AuditEntry
from webhook_service.model.receiver import Respond
from webhook_service.model.rules.approval import ApprovalRule


class DeliveryState(StrEnum):
    """What was decided on a call."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    REFUSED = "refused"


class CallOutcome(StrEnum):
    """What came of all executions of a delivery."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    PENDING = "pending"


class Reason(StrEnum):
    """Why an item of a call was ignored; plug-ins may use words of their own."""

    EMPTY = "empty"
    NOT_A_PUSH = "not_a_push"
    NOT_AN_IMAGE = "not_an_image"
    UNTAGGED = "untagged"
    MALFORMED = "malformed"
    HANDSHAKE = "handshake"
    UNUSABLE = "unusable"
    REPOSITORY_MISMATCH = "repository_mismatch"
    TAG_MISMATCH = "tag_mismatch"
    TAG_EXCLUDED = "tag_excluded"
    NOT_NEWER = "not_newer"
    DIGEST_MISSING = "digest_missing"
    FILTERED = "filtered"
    FILTER_ERROR = "filter_error"
    SUSPENDED = "suspended"
    FROZEN = "frozen"
    PROJECT_HELD = "project_held"
    AFTER = "after"
    MINIMUM_AGE = "minimum_age"
    DUPLICATE = "duplicate"
    APPROVAL = "approval"
    REFUSED = "refused"
    APPROVAL_EXPIRED = "approval_expired"


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A client certificate that the host itself has verified.

    Attributes:
        subject: as RFC 4514 writes it.
        fingerprint: SHA-256, in hexadecimal digits.
    """

    subject: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP call on the endpoint, read whole.

    Attributes:
        body: the bytes as they were sent, for senders sign these.
        headers: names may have any case when a call is made, and are in lower case here.
        client: the caller's address, behind the trusted proxies.
        through_proxy: whether a trusted proxy handed the call over. Only then its headers about
            the caller can be believed.
        certificate: the TLS certificate of whoever opened the connection.

    Raises:
        TypeError: the body is not bytes.
    """

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    client: str = ""
    through_proxy: bool = False
    certificate: ClientCertificate | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.body, bytes):
            kind = type(self.body).__name__
            raise TypeError(f"Call.body must be bytes as they were sent, not {kind}.")
        if any(name != name.lower() for name in self.headers):
            lowered = {name.lower(): value for name, value in self.headers.items()}
            object.__setattr__(self, "headers", lowered)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a call spoke of: what it was, what was decided on it, and why.

    Attributes:
        message: what is wrong, where the reason alone does not say it (``filter_error``).
        receiver: whose decision it was, if an inbox handed the call to several receivers.
    """

    subject: str
    state: DeliveryState
    reason: str | None = None
    execution: str | None = None
    message: str | None = None
    receiver: str | None = None


@dataclass(frozen=True, slots=True)
class Taker:
    """The receiver that takes a push from an inbox, and its driver."""

    receiver: str
    driver: str


@dataclass(frozen=True, slots=True)
class Work:
    """An accepted event, before it is stored as an execution.

    Attributes:
        held_until: the end of the freeze window that holds it; None if no window does.
        approval: the rule by which people must approve it first; None if nobody has to.
        taker: the receiver that takes the push; None for the one that was called.
    """

    execution: str
    event: PushEvent | Request
    subject: str
    identity: str
    slot: str
    ordered_at: datetime
    named: bool = False
    held_until: datetime | None = None
    approval: ApprovalRule | None = None
    taker: Taker | None = None

    @property
    def item(self) -> Item:
        receiver = None if self.taker is None else self.taker.receiver
        return Item(self.subject, DeliveryState.ACCEPTED, None, self.execution, receiver=receiver)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call was refused. It is for the receiver's people; the sender is not told as much.

    Attributes:
        status: of the answer.
        message: what was wrong.
        scheme: how the receiver's calls are verified; ``format`` likewise.
        hint: which format, scheme or secret would fit; empty if nothing is known.
        body: the first 4 KiB of the body as text, with keys and secrets hidden. Lists leave it out.
    """

    status: int
    message: str
    scheme: str
    format: str
    hint: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A stored call with its decision.

    Attributes:
        receiver: the id of the receiver or inbox that was called.
        duplicate_of: of a duplicate, the delivery that came first.
        reply: what the sender's format wants as the answer, instead of the usual one. Not stored.
        respond: what the receiver lets the answer wait for. Not stored.
    """

    id: str
    project: str
    receiver: str
    state: DeliveryState
    received: datetime
    reason: str | None = None
    items: tuple[Item, ...] = ()
    executions: tuple[str, ...] = ()
    duplicate_of: str | None = None
    client: str = ""
    refusal: Refusal | None = None
    reply: Mapping[str, Any] | None = None
    respond: Respond = Respond.ACCEPTED


class Basis(NamedTuple):
    """What a decision on a call rests on: a live key, and one version of its receiver.

    Attributes:
        fingerprint: of the key.
        version: of the receiver; of an inbox the generation.
    """

    fingerprint: str
    receiver: str
    version: int


@dataclass(frozen=True, slots=True)
class Decision:
    """A call with what was decided on it, before it is stored.

    The store finds duplicates only when it stores the decision. Until then, the delivery reads as
    if all of its works were new.

    Attributes:
        basis: what the decision rests on, if it was made from memory. The store then refuses it if
            the receiver or its key has changed meanwhile.
        audited: the entry for the audit, if a person made the call.
    """

    delivery: Delivery
    works: Sequence[Work]
    driver: str
    format: str
    body: bytes
    basis: Basis | None = None
    audited: AuditEntry | None = None
