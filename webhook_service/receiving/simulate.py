"""Simulation: what a call would do, step by step, with nothing changed and nothing stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from webhook_service.driver import Context, Plan
from webhook_service.errors import PluginUnavailable
from webhook_service.model.delivery import Call, Item, Work
from webhook_service.plugins.boundary import guarded, storable_plan
from webhook_service.receiving.compiled import CompiledReceiver


@dataclass(frozen=True, slots=True)
class PlannedWork:
    """An event that would be accepted, and what its driver would change now."""

    subject: str
    slot: str
    identity: str
    plan: Plan


@dataclass(frozen=True, slots=True)
class Simulation:
    """The items that would be ignored, with their reason, and the work that would be done."""

    ignored: tuple[Item, ...]
    planned: tuple[PlannedWork, ...]


def simulate(compiled: CompiledReceiver, call: Call, *, shared: bool) -> Simulation:
    """Parse and match a call, and ask the driver for its plan.

    The call is not verified: who may simulate is known already, and a pasted body has no
    signature.

    Args:
        shared: whether other projects use the service too.

    Raises:
        InvalidPayload: the body is not of the receiver's format.
    """
    works, ignored = compiled.match(compiled.parse(call), datetime.now(UTC))
    return Simulation(tuple(ignored), tuple(_planned(compiled, work, shared) for work in works))


def _planned(compiled: CompiledReceiver, work: Work, shared: bool) -> PlannedWork:
    context = Context.without_execution(
        compiled.receiver.project,
        compiled.receiver.id,
        shared=shared,
        identity=work.identity,
        named=work.named,
    )
    with guarded(f"The driver {compiled.receiver.spec.driver}", PluginUnavailable):
        plan = storable_plan(compiled.driver.plan(compiled.config, work.event, context))
    return PlannedWork(work.subject, work.slot, work.identity, plan)
