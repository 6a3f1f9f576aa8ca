"""Inboxes as JSON."""

from __future__ import annotations

from typing import Any

from webhook_service.host.http.links import Links
from webhook_service.model.inbox import Inbox, InboxView
from webhook_service.model.receiver import HIDDEN, Verify
from webhook_service.resources import InboxResource, ListenerResource

Json = dict[str, Any]


def inbox_json(inbox: Inbox, view: InboxView, links: Links, *, with_url: bool) -> Json:
    """An inbox with those who listen; ``with_url`` for callers who may see where it is called."""
    spec = inbox.spec
    hidden = dict.fromkeys(spec.verify.secrets, HIDDEN)
    options = spec.verify.model_dump(mode="json", by_alias=True) | hidden
    key = view.key if with_url else None
    return InboxResource(
        type="inbox",
        id=inbox.id,
        name=spec.name,
        source=spec.source,
        verify=Verify.model_construct(**options),
        receivers=[ListenerResource(id=id_, name=name) for id_, name in view.listening.items()],
        created=inbox.created,
        updated=inbox.updated,
        problem=view.problem,
        url=None if key is None else links.to("/endpoint", {"key": key}),
        links={
            "self": links.to(f"/inboxes/{inbox.id}"),
            "deliveries": links.to("/deliveries", {"inbox": inbox.id}),
        },
        actions={},
    ).as_json()
