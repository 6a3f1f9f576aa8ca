"""Simulations over HTTP and on the command line: a pasted call in, what it would do out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from webhook_service.errors import InvalidRequest, UnknownField
from webhook_service.model.as_json import change_to_json
from webhook_service.model.delivery import Call
from webhook_service.receiving.simulate import PlannedWork, Simulation

Json = dict[str, Any]
_FIELDS = {"body", "headers"}


def pasted_call(value: Any) -> Call:
    """The call in ``{"body": …, "headers": {…}}``; the body is JSON, or a text as it was sent.

    Raises:
        InvalidRequest: it is not of this form.
    """
    if not isinstance(value, Mapping) or "body" not in value:
        raise InvalidRequest('Bad request body: give the call as {"body": …, "headers": {…}}.')
    if unknown := sorted(value.keys() - _FIELDS):
        raise UnknownField(f"A simulation has no field {unknown[0][:100]!r}.")
    headers, body = value.get("headers") or {}, value["body"]
    texts = isinstance(headers, Mapping) and all(isinstance(v, str) for v in headers.values())
    if not texts:
        raise InvalidRequest("Bad request body: headers must be an object of texts.")
    content = body if isinstance(body, str) else json.dumps(body)
    return Call(content.encode(), {name.lower(): text for name, text in headers.items()})


def simulation_json(simulation: Simulation) -> Json:
    """What a call would do."""
    return {
        "type": "simulation",
        "ignored": [
            {"subject": item.subject, "reason": item.reason, "message": item.message}
            for item in simulation.ignored
        ],
        "planned": [_planned_json(work) for work in simulation.planned],
    }


def _planned_json(work: PlannedWork) -> Json:
    return {
        "subject": work.subject,
        "slot": work.slot,
        "identity": work.identity,
        "changes": [change_to_json(change) for change in work.plan.changes],
        "notes": list(work.plan.notes),
    }
