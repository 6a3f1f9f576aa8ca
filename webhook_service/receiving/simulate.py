"""Simulation: what a call would do, step by step, with nothing changed and nothing stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from webhook_service.driver import Plan
from webhook_service.errors import NotFound, WebhookServiceError
from webhook_service.model.delivery import Call, Item, Work
from webhook_service.model.receiver import ReceiverSpec
from webhook_service.receiving.compiled import CompiledReceiver
from webhook_service.receiving.inbox import CompiledInbox


@dataclass(frozen=True, slots=True)
class PlannedWork:
    """An event that would be accepted, and what its driver would change now.

    Of an inbox, ``receiver`` says for whom. If its driver cannot plan now, ``plan`` is empty and
    its note says why.
    """

    subject: str
    slot: str
    identity: str
    plan: Plan
    receiver: str | None = None


@dataclass(frozen=True, slots=True)
class Simulation:
    """The items that would be ignored, with their reason, and the work that would be done."""

    ignored: tuple[Item, ...]
    planned: tuple[PlannedWork, ...]


def simulate(compiled: CompiledReceiver, call: Call, now: datetime, *, shared: bool) -> Simulation:
    """Parse and match a call, and ask the driver for its plan.

    The call is not verified: who may simulate is known already, and a pasted body has no
    signature.

    Args:
        now: when it would have come.
        shared: whether other projects use the service too.

    Raises:
        InvalidPayload: the body is not of the receiver's format.
    """
    works, ignored = compiled.match(compiled.parse(call), now)
    warnings = compiled.warnings(shared=shared) if works else ()
    planned = tuple(_planned(compiled, work, shared, warnings) for work in works)
    return Simulation(tuple(ignored), planned)


def simulate_inbox(
    compiled: CompiledInbox, call: Call, now: datetime, *, shared: bool
) -> Simulation:
    """``simulate`` for every receiver that a call on an inbox is for.

    Raises:
        InvalidPayload: the body is not of the inbox's format.
    """
    works, ignored = compiled.match(compiled.gate.parse(call), now)
    planned = [_planned_of(compiled, work, shared) for work in works]
    return Simulation(tuple(ignored), tuple(planned))


def _planned_of(inbox: CompiledInbox, work: Work, shared: bool) -> PlannedWork:
    """What one receiver would do; that one cannot say it keeps nobody else from it."""
    own = "" if work.taker is None else work.taker.receiver
    compiled = inbox.listeners.by_id[own].compiled
    try:
        if compiled is None:
            raise NotFound("The receiver cannot be used.")
        planned = _planned(compiled, work, shared, compiled.warnings(shared=shared))
    except WebhookServiceError as exc:
        planned = PlannedWork(work.subject, work.slot, work.identity, Plan(notes=(exc.message,)))
    return replace(planned, receiver=own)


def _planned(
    compiled: CompiledReceiver, work: Work, shared: bool, warnings: tuple[str, ...]
) -> PlannedWork:
    plan = compiled.plan(work.event, work.identity, named=work.named, shared=shared)
    notes = [*_waits(compiled.receiver.spec, work), *plan.notes, *warnings]
    plan = replace(plan, notes=tuple(dict.fromkeys(notes)))
    return PlannedWork(work.subject, work.slot, work.identity, plan)


def _waits(spec: ReceiverSpec, work: Work) -> Iterator[str]:
    """What would hold it before its driver is called."""
    if work.approval is not None:
        yield f"It waits for approval, by as many people: {work.approval.count}."
    if work.held_until is not None:
        yield f"match.freeze holds it until {work.held_until:%Y-%m-%d %H:%M:%S} UTC."
    if age := spec.match.minimum_age:
        yield (
            f"match.minimumAge holds it until its image is {age} old. That counts from when the "
            "image says that it was built; if it does not say so, from its push."
        )
    if after := spec.match.after:
        yield (
            f"match.after holds it until {after.receiver} has run its image well for "
            f"{after.succeeded_for}."
        )
