"""Deliveries over the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from webhook_service.model.delivery import CallOutcome, DeliveryState
from webhook_service.model.execution import ExecutionState
from webhook_service.resources.base import AnswerModel, ApiModel, absent
from webhook_service.resources.executions import ChangeResource


class ItemResource(ApiModel):
    """One thing a call spoke of, and what was decided on it."""

    subject: str
    state: DeliveryState
    reason: str | None = Field(description="Why it was ignored, for programs.")
    message: str | None = Field(description="What is wrong, where the reason does not say it.")
    execution: str | None = Field(description="The execution that came of it.")
    receiver: str | None = absent("Of an inbox: the receiver that decided so.")


class RefusalResource(ApiModel):
    """Why a call was refused."""

    status: int = Field(description="The HTTP status that the sender got.")
    message: str
    scheme: str = Field(description="How the receiver's calls are verified.")
    format: str = Field(description="How they are read.")
    hint: str = Field(description="Which format, scheme or secret would fit; may be empty.")
    body: str = Field(description="The first 4 KiB, secrets hidden; empty in lists.")


class DecisionResource(AnswerModel):
    """What a sender is told about its call."""

    type: Literal["delivery"]
    id: str = Field(description="Of a duplicate, the id of the first delivery.")
    state: DeliveryState
    reason: str | None
    executions: list[str]


class ResultResource(ApiModel):
    """What came of one execution."""

    id: str
    state: ExecutionState
    reason: str | None
    superseded_by: str | None
    links: dict[str, str]
    message: str | None = absent("Only for receivers that respond with the outcome.")
    changes: list[ChangeResource] | None = absent("Likewise.")


class OutcomeResource(DecisionResource):
    """What a sender is told that waits for what comes of its call."""

    outcome: CallOutcome = Field(description="The worst of its executions; pending if one runs.")
    results: list[ResultResource] = Field(description="One for each execution that has ended.")
    message: str | None = absent("Why the call did not wait.")


class DeliveryResource(AnswerModel):
    """One call of a sender, and the decision on it."""

    type: Literal["delivery"]
    id: str
    project_id: str
    receiver: str | None = Field(description="Who was called; null if that is an inbox.")
    inbox: str | None = absent("The inbox that was called.")
    state: DeliveryState
    reason: str | None = Field(description="Why nothing was accepted, for programs.")
    items: list[ItemResource]
    executions: list[str] = Field(description="The ids of the executions that came of it.")
    duplicate_of: str | None = Field(description="The first delivery of the same push.")
    received: datetime
    client: str = Field(description="The caller's address.")
    refusal: RefusalResource | None
