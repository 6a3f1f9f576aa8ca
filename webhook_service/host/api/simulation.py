"""Simulations over HTTP and on the command line: a pasted call in, what it would do out."""

from __future__ import annotations

import json
from typing import Any

from webhook_service.host.api.fields import read_fields
from webhook_service.host.wire import change_resource
from webhook_service.model.delivery import Call
from webhook_service.receiving.simulate import PlannedWork, Simulation
from webhook_service.resources import (
    SimulatedIgnoredResource,
    SimulatedWorkResource,
    SimulateRequest,
    SimulationResource,
)


def pasted_call(value: Any) -> Call:
    """The call in ``{"body": …, "headers": {…}}``; the body is JSON, or a text as it was sent.

    Raises:
        InvalidRequest: it is not of this form.
        UnknownField: it has a field that no call has.
    """
    sent = read_fields(SimulateRequest, value)
    content = sent.body if isinstance(sent.body, str) else json.dumps(sent.body)
    headers = {name.lower(): text for name, text in (sent.headers or {}).items()}
    return Call(content.encode(), headers)


def simulation_json(simulation: Simulation) -> dict[str, Any]:
    """What a call would do."""
    return SimulationResource(
        type="simulation",
        ignored=[
            SimulatedIgnoredResource(
                subject=item.subject,
                reason=item.reason,
                message=item.message,
                receiver=item.receiver,
            )
            for item in simulation.ignored
        ],
        planned=[_planned(work) for work in simulation.planned],
    ).as_json()


def _planned(work: PlannedWork) -> SimulatedWorkResource:
    return SimulatedWorkResource(
        subject=work.subject,
        slot=work.slot,
        identity=work.identity,
        changes=[change_resource(change) for change in work.plan.changes],
        notes=list(work.plan.notes),
        receiver=work.receiver,
    )
