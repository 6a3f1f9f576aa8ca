"""Deliveries as JSON."""

from __future__ import annotations

from typing import Any

from webhook_service.host.http.links import Links
from webhook_service.model.delivery import CallOutcome, Delivery, Item, Refusal
from webhook_service.model.inbox import is_inbox
from webhook_service.resources import (
    DeliveryResource,
    ItemResource,
    OutcomeResource,
    RefusalResource,
    ResultResource,
)

Json = dict[str, Any]


def decision_json(delivery: Delivery, links: Links) -> Json:
    """What the sender is told; a duplicate bears the first delivery's id.

    It is a ``DecisionResource``, which is too much to make for every call.
    """
    return _decision(delivery, links)


def outcome_json(
    delivery: Delivery,
    links: Links,
    outcome: CallOutcome,
    results: list[ResultResource],
    message: str | None,
) -> Json:
    """What a sender is told that waits for what comes of its call."""
    return OutcomeResource(
        **_decision(delivery, links), outcome=outcome, results=results, message=message
    ).as_json()


def delivery_json(delivery: Delivery, links: Links) -> Json:
    """A delivery as the project's people see it."""
    inbox = delivery.receiver if is_inbox(delivery.receiver) else None
    kind, kinds = ("receiver", "receivers") if inbox is None else ("inbox", "inboxes")
    called = {kind: links.to(f"/{kinds}/{delivery.receiver}")}
    return DeliveryResource(
        type="delivery",
        id=delivery.id,
        project_id=delivery.project,
        receiver=delivery.receiver if inbox is None else None,
        inbox=inbox,
        state=delivery.state,
        reason=delivery.reason,
        items=[_item(item) for item in delivery.items],
        executions=list(delivery.executions),
        duplicate_of=delivery.duplicate_of,
        received=delivery.received,
        client=delivery.client,
        refusal=_refusal(delivery.refusal),
        links={**_delivery_links(delivery.id, links), **called},
        actions={},
    ).as_json()


def _decision(delivery: Delivery, links: Links) -> Json:
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


def _delivery_links(id_: str, links: Links) -> dict[str, str]:
    return {
        "self": links.to(f"/deliveries/{id_}"),
        "executions": links.to("/executions", {"delivery": id_}),
    }


def _item(item: Item) -> ItemResource:
    return ItemResource(
        subject=item.subject,
        state=item.state,
        reason=item.reason,
        message=item.message,
        execution=item.execution,
        receiver=item.receiver,
    )


def _refusal(refusal: Refusal | None) -> RefusalResource | None:
    if refusal is None:
        return None
    return RefusalResource(
        status=refusal.status,
        message=refusal.message,
        scheme=refusal.scheme,
        format=refusal.format,
        hint=refusal.hint,
        body=refusal.body,
    )
