"""The wire format of Rancher 1.6: resources, collections and errors as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from starlette.responses import JSONResponse

from webhook_service.driver import PushEvent, Request
from webhook_service.host.http.links import Links
from webhook_service.model.as_json import change_to_json, event_to_json, time_to_json
from webhook_service.model.audit import AuditEntry
from webhook_service.model.delivery import Delivery, DeliveryState, Item
from webhook_service.model.execution import Approval, Attempt, Execution
from webhook_service.model.pages import Page
from webhook_service.model.receiver import Receiver, as_json, config_field
from webhook_service.model.replays import Replayed
from webhook_service.model.revision import Revision

Json = dict[str, Any]
_PROOF = re.compile("token|secret|signature|key|password")


def answer(links: Links, body: Json) -> JSONResponse:
    """A successful answer."""
    return JSONResponse(body, headers={"X-Api-Schemas": links.schemas})


def collection(links: Links, path: str, kind: str, data: Iterable[Json]) -> Json:
    """A whole collection; ``path`` is the request's."""
    return {
        "type": "collection",
        "resourceType": kind,
        "data": list(data),
        "links": {"self": links.at(path)},
    }


def page_json(
    links: Links,
    path: str,
    kind: str,
    data: Iterable[Json],
    page: Page[Any],
    query: Mapping[str, str],
) -> Json:
    """One page of a collection; if it is not the last, it says where the next one is."""
    found = collection(links, path, kind, data)
    found["links"]["self"] = links.at(path, query)
    if page.next is not None:
        following = links.at(path, {**query, "marker": page.next})
        found["links"]["next"] = following
        found["pagination"] = {"limit": len(page.items), "next": following}
    return found


def error_json(status: int, code: str, message: str, self_link: str) -> Json:
    """An error; ``code`` is for programs."""
    return {
        "type": "error",
        "status": "Server Error",
        "statusCode": status,
        "code": code,
        "message": message,
        "links": {"self": self_link},
        "actions": {},
    }


def version_json(links: Links, path: str) -> Json:
    """What ``GET /v1-webhooks`` answers."""
    return {
        "type": "apiVersion",
        "links": {
            "self": links.at(path),
            "receivers": links.to("/receivers"),
            "deliveries": links.to("/deliveries"),
            "executions": links.to("/executions"),
            "audit": links.to("/audit"),
            "schemas": links.to("/schemas"),
        },
        "actions": {},
    }


def receiver_json(
    receiver: Receiver,
    drivers: Sequence[str],
    links: Links,
    key: str | None,
    problem: str | None,
) -> Json:
    """A receiver; every driver has its config field, v1.6's clients look for them.

    Args:
        drivers: the names of those that can be used.
        key: what its URL carries; None leaves the URL out.
        problem: why it cannot take calls.
    """
    spec = as_json(receiver.spec)
    own = config_field(receiver.spec.driver)
    found: Json = {
        "type": "receiver",
        "id": receiver.id,
        **{config_field(name): {} for name in drivers},
        **spec,
        own: {"type": receiver.spec.driver, **spec[own]},
        "created": time_to_json(receiver.created),
        "updated": time_to_json(receiver.updated),
        "problem": problem,
        "links": {"self": links.to(f"/receivers/{receiver.id}")},
        "actions": {},
    }
    if key is not None:
        found["url"] = links.to("/endpoint", {"key": key})
    return found


def decision_json(delivery: Delivery, links: Links) -> Json:
    """What the sender is told; a duplicate bears the first delivery's id."""
    id_ = delivery.duplicate_of or delivery.id
    return {
        "type": "delivery",
        "id": id_,
        "state": delivery.state,
        "reason": delivery.reason,
        "executions": list(delivery.executions),
        "links": _delivery_links(id_, links),
        "actions": {},
    }


def delivery_json(delivery: Delivery, links: Links) -> Json:
    """A delivery as the project's people see it."""
    receiver = links.to(f"/receivers/{delivery.receiver}")
    return {
        "type": "delivery",
        "id": delivery.id,
        "projectId": delivery.project,
        "receiver": delivery.receiver,
        "state": delivery.state,
        "reason": delivery.reason,
        "items": [_item_json(item) for item in delivery.items],
        "executions": list(delivery.executions),
        "duplicateOf": delivery.duplicate_of,
        "received": time_to_json(delivery.received),
        "client": delivery.client,
        "refusal": None if delivery.refusal is None else asdict(delivery.refusal),
        "links": {**_delivery_links(delivery.id, links), "receiver": receiver},
        "actions": {},
    }


def execution_json(execution: Execution, links: Links, *, attempts: bool) -> Json:
    """An execution; in collections it comes without its attempts and votes."""
    found: Json = {
        "type": "execution",
        "id": execution.id,
        "projectId": execution.project,
        "receiver": execution.receiver,
        "delivery": execution.delivery,
        "driver": execution.driver,
        "slot": execution.slot,
        "state": execution.state,
        "reason": execution.reason,
        "message": execution.message,
        "event": _event_json(execution.event),
        "changes": [change_to_json(change) for change in execution.changes],
        "supersededBy": execution.superseded_by,
        "rollsBack": execution.rolls_back,
        "replayOf": execution.replay_of,
        "requestedBy": execution.requested_by,
        "approval": _approval_json(execution.approval, votes=attempts),
        "created": time_to_json(execution.created),
        "due": time_to_json(execution.due),
        "finished": time_to_json(execution.finished),
        "links": {
            "self": links.to(f"/executions/{execution.id}"),
            "delivery": links.to(f"/deliveries/{execution.delivery}"),
            "receiver": links.to(f"/receivers/{execution.receiver}"),
        },
        "actions": {},
    }
    if attempts:
        found["attempts"] = [_attempt_json(attempt) for attempt in execution.attempts]
    return found


def audit_json(entry: AuditEntry, links: Links) -> Json:
    """An entry of the audit."""
    of = {} if entry.receiver is None else {"receiver": links.to(f"/receivers/{entry.receiver}")}
    return {
        "type": "auditEntry",
        "id": entry.id,
        "projectId": entry.project,
        "at": time_to_json(entry.at),
        "actor": entry.actor.name,
        "via": entry.actor.via,
        "address": entry.actor.address,
        "action": entry.action,
        "subject": entry.subject,
        "receiver": entry.receiver,
        "changes": [asdict(change) for change in entry.changes],
        "links": of,
        "actions": {},
    }


def replayed_json(found: Replayed, dry_run: bool) -> Json:
    """What was replayed at once, or would be."""
    return {
        "type": "replay",
        "dryRun": dry_run,
        "replayed": list(found.replayed),
        "executions": list(found.executions),
        "remaining": found.remaining,
    }


def revision_json(revision: Revision, links: Links) -> Json:
    """One revision in a receiver's history; its id is the execution's."""
    execution = revision.execution
    event = event_to_json(execution.event)
    return {
        "type": "revision",
        "id": execution.id,
        "image": event["image"],
        "slot": execution.slot,
        "live": revision.live,
        "held": revision.held,
        "finished": time_to_json(execution.finished),
        "by": execution.requested_by or event["actor"],
        "rollsBack": execution.rolls_back,
        "replayOf": execution.replay_of,
        "links": {"self": links.to(f"/executions/{execution.id}")},
        "actions": {},
    }


def _event_json(event: PushEvent | Request) -> Json:
    """The event as people see it: what a raw call was signed or proven with is not shown."""
    found = event_to_json(event)
    if isinstance(event, Request):
        found["headers"] = {
            name: "********" if _PROOF.search(name) else value
            for name, value in event.headers.items()
        }
    return found


def _approval_json(approval: Approval | None, *, votes: bool) -> Json | None:
    if approval is None:
        return None
    found: Json = {"needed": approval.needed, "until": time_to_json(approval.until)}
    if votes:
        found["votes"] = [
            {"voter": vote.voter, "approved": vote.approved, "at": time_to_json(vote.at)}
            for vote in approval.votes
        ]
    return found


def _delivery_links(id_: str, links: Links) -> Json:
    return {
        "self": links.to(f"/deliveries/{id_}"),
        "executions": links.to("/executions", {"delivery": id_}),
    }


def _item_json(item: Item) -> Json:
    return {
        "subject": item.subject,
        "state": DeliveryState(item.state),
        "reason": item.reason,
        "message": item.message,
        "execution": item.execution,
    }


def _attempt_json(attempt: Attempt) -> Json:
    return {
        "number": attempt.number,
        "started": time_to_json(attempt.started),
        "finished": time_to_json(attempt.finished),
        "state": attempt.state,
        "message": attempt.message,
        "steps": attempt.steps,
    }
