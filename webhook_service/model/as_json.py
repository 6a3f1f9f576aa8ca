"""Events as JSON: the same names in the database and in every answer."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from webhook_service.driver import ImageFacts, PushEvent, Request
from webhook_service.errors import Change, InvalidRequest


def event_to_json(event: PushEvent | Request) -> dict[str, Any]:
    """An event as JSON; a push has ``image``, a raw request has ``body`` in base64."""
    if isinstance(event, Request):
        body = base64.b64encode(event.body).decode()
        return {"body": body, "headers": dict(event.headers), "query": dict(event.query)}
    facts = {} if event.facts is None else {"facts": asdict(event.facts)}
    return {
        "image": event.image,
        "registry": event.registry,
        "repository": event.repository,
        "tag": event.tag,
        "digest": event.digest,
        "media_type": event.media_type,
        "pushed_at": time_to_json(event.pushed_at),
        "actor": event.actor,
        "source_id": event.source_id,
        **facts,
    }


def event_from_json(data: Mapping[str, Any]) -> PushEvent | Request:
    """The event that ``event_to_json`` wrote."""
    if "registry" not in data:
        body = base64.b64decode(data["body"])
        return Request(body=body, headers=data["headers"], query=data["query"])
    fields = {name: value for name, value in data.items() if name != "image"}
    pushed_at, facts = fields.pop("pushed_at"), fields.pop("facts", None)
    moment = datetime.fromisoformat(pushed_at) if pushed_at else None
    known = None if facts is None else ImageFacts(**facts)
    return PushEvent(pushed_at=moment, facts=known, **fields)


def change_to_json(change: Change) -> dict[str, Any]:
    """A change as JSON."""
    return {
        "target": change.target,
        "field": change.field,
        "before": change.before,
        "after": change.after,
    }


def time_to_json(moment: datetime | None) -> str | None:
    """A moment as ISO 8601 in UTC, ending in Z."""
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def time_from_json(field: str, text: str) -> datetime:
    """The moment that a text in ISO 8601 names.

    Args:
        field: where the text stands, for the message.

    Raises:
        InvalidRequest: it is no time, or has no time zone.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidRequest(f"{field}: give a time in UTC, such as 2026-11-22T10:00:00Z.")
    return moment
