"""Receivers over the wire: what is sent to make and change one, and what is answered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from webhook_service.model.receiver import (
    MAX_LABELS,
    MAX_NAME,
    LabelName,
    LabelValue,
    Listen,
    Match,
    ReceiverState,
    Respond,
    Source,
    Verify,
    config_field,
)
from webhook_service.model.rules.approval import ApprovalRule
from webhook_service.model.rules.registry import RegistryRule
from webhook_service.resources.audit import FieldChangeResource
from webhook_service.resources.base import AnswerModel, ApiModel, RequestModel, absent
from webhook_service.resources.executions import ChangeResource

MAX_OVERLAP_SECONDS = 30 * 86400


class ReceiverResource(AnswerModel):
    """A receiver. Beside these fields it has one with its driver's config: `<driver>Config`."""

    model_config = ConfigDict(extra="allow")

    type: Literal["receiver"]
    id: str
    name: str = Field(description="Its name, unique in the project.")
    labels: dict[str, str] = Field(description="What it belongs to.")
    driver: str = Field(description="What is done on a push.")
    listen: Listen = Field(description="Which inboxes it listens to, and if it has its own URL.")
    source: Source = Field(description="Who calls, and how the call is read.")
    match: Match = Field(description="Which pushes pass.")
    verify: Verify = Field(description="How a call is proven genuine; secrets are hidden.")
    registry: RegistryRule | None = Field(description="What is asked of the registry.")
    approval: ApprovalRule | None = Field(description="How many people each push waits for.")
    respond: Respond = Field(description="What the answer to a call waits for.")
    state: ReceiverState
    created: datetime
    updated: datetime
    problem: str | None = Field(description="Why it cannot take calls; null if it can.")
    url: str | None = absent(
        "Where the sender calls. Callers who may only look do not get it; a receiver that only "
        "listens to inboxes has none."
    )

    warnings: list[str] | None = absent("What to know about a receiver that was just saved.")

    @property
    def config(self) -> Mapping[str, Any]:
        """The driver's config, with its secrets hidden."""
        found: Mapping[str, Any] = (self.__pydantic_extra__ or {}).get(
            config_field(self.driver), {}
        )
        return {name: value for name, value in found.items() if name != "type"}


class AppliedResource(ApiModel):
    """What became of a receiver that was to be as a body says, or what would."""

    type: Literal["applied"]
    name: str
    result: Literal["created", "changed", "unchanged"]
    version: int = Field(
        description="Of the receiver that is stored, for `If-Match`; 0 if there is none."
    )
    changes: list[FieldChangeResource] = Field(description="The fields in which it is another now.")
    spec: dict[str, Any] = Field(description="It as it is to be; secrets are hidden.")
    warnings: list[str] | None = absent("What to know about a receiver that was just saved.")


class ReceiverFields(RequestModel):
    """A receiver as its owner writes it, beside the config of its driver."""

    name: str = Field(min_length=1, max_length=MAX_NAME, description="Unique in the project.")
    labels: dict[LabelName, LabelValue] | None = Field(
        default=None, max_length=MAX_LABELS, description="What it belongs to, as in Kubernetes."
    )
    listen: Listen | None = Field(
        default=None,
        description="The inboxes to listen to, by name. A new receiver that names one has no URL "
        "of its own, and needs no `source` and `verify`, unless it says `ownUrl`: true.",
    )
    source: Source | None = Field(default=None, description="Who calls.")
    match: Match | None = Field(default=None, description="Which pushes pass.")
    verify: Verify | None = Field(
        default=None,
        description="How a call is proven genuine. A body with any field that v1.6 did not have "
        "must say it; the scheme `none` relies on the secrecy of the URL alone.",
    )
    registry: RegistryRule | None = Field(default=None, description="What to ask the registry.")
    approval: ApprovalRule | None = Field(default=None, description="Whom to wait for.")
    respond: Respond | None = Field(default=None, description="What the answer waits for.")
    state: ReceiverState | None = Field(default=None, description="`suspended` begins nothing.")


class RotateRequest(RequestModel):
    """How to change a receiver's key."""

    overlap_seconds: float | None = Field(
        default=None,
        strict=True,
        ge=0,
        le=MAX_OVERLAP_SECONDS,
        description="How many seconds the old key goes on working; without it a day.",
    )


class SimulateRequest(RequestModel):
    """A call, as a sender would send it."""

    body: Any = Field(description="JSON, or a text as it is sent.")
    headers: dict[str, str] | None = Field(default=None, description="Headers of the call.")


class SimulatedIgnoredResource(ApiModel):
    """A push that would be ignored."""

    subject: str
    reason: str | None
    message: str | None
    receiver: str | None = absent("Of an inbox: the receiver that would ignore it.")


class SimulatedWorkResource(ApiModel):
    """A push that would be accepted, and what its driver would change now."""

    subject: str
    slot: str
    identity: str
    changes: list[ChangeResource]
    notes: list[str]
    receiver: str | None = absent("Of an inbox: the receiver that would take it.")


class SimulationResource(ApiModel):
    """What a call would do."""

    type: Literal["simulation"]
    ignored: list[SimulatedIgnoredResource]
    planned: list[SimulatedWorkResource]
