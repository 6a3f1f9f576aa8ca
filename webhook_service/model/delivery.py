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
    """What the host has verified in its own TLS: the subject (RFC 4514), the SHA-256 in hex."""

    subject: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP call on the endpoint, read whole. Header names are lower case.

    ``client`` is the caller's address behind the trusted proxies; ``through_proxy`` says that
    one of them handed the call over, so that what it says in headers can be believed.
    ``certificate`` is that of whoever opened the connection.
    """

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    client: str = ""
    through_proxy: bool = False
    certificate: ClientCertificate | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One thing a call spoke of: what it was, what was decided, and why.

    ``message`` says what is wrong where the reason alone does not (``filter_error``). ``receiver``
    says whose decision it was, if an inbox handed the call to several.
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
    """An accepted event on its way into the store, as one execution to be.

    It is held back ``held_until`` a moment if the receiver is frozen until then, and until people
    have approved it if there is a rule for ``approval``. The receiver that was called takes it,
    unless there is another ``taker``.
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
    """A stored call with its decision. ``receiver`` is the id of who was called: a receiver, or an
    inbox. For a duplicate, ``duplicate_of`` is the first delivery.

    ``reply`` is what the sender's format wants to be answered instead, and ``respond`` what its
    receiver wants the answer to wait for; neither is stored.
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
    """What a call was decided by: a live key, by its fingerprint, and a version of its receiver.

    Of an inbox it is the generation.
    """

    fingerprint: str
    receiver: str
    version: int


@dataclass(frozen=True, slots=True)
class Decision:
    """A call and what was decided on it, on its way into the store.

    The delivery is as if none of its works were a copy of an earlier one. With a ``basis`` it is
    stored only if that is still so: the receiver was not looked up for it. ``audited`` is what the
    audit says of it, if a person made the call.
    """

    delivery: Delivery
    works: Sequence[Work]
    driver: str
    format: str
    body: bytes
    basis: Basis | None = None
    audited: AuditEntry | None = None
