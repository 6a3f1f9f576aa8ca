"""Notifications and their notices as JSON."""

from __future__ import annotations

from typing import Any

from webhook_service.driver import Request
from webhook_service.host.http.links import Links
from webhook_service.host.wire.executions import attempt_resource
from webhook_service.model.execution import Execution
from webhook_service.model.notice import Notice
from webhook_service.model.notification import NoticeSent, Notification
from webhook_service.model.receiver import config_field
from webhook_service.resources import NoticeResource, NotificationResource

Json = dict[str, Any]


def notification_json(notification: Notification, last: NoticeSent | None, links: Links) -> Json:
    """A notification, its secrets hidden, with its newest notice."""
    spec, path = notification.spec, f"/notifications/{notification.id}"
    found = NotificationResource(
        type="notification",
        id=notification.id,
        name=spec.name,
        kind=spec.kind,
        on=list(spec.on),
        when=spec.when,
        votes=spec.votes,
        created=notification.created,
        updated=notification.updated,
        last=None if last is None else _notice(last.execution, links, attempts=False),
        links={"self": links.to(path), "notices": links.to(f"{path}/notices")},
        actions={},
    ).as_json()
    return {**found, config_field(spec.kind): spec.config}


def notice_json(execution: Execution, links: Links, *, attempts: bool) -> Json:
    """A notice; in collections it comes without its attempts."""
    return _notice(execution, links, attempts=attempts).as_json()


def _notice(execution: Execution, links: Links, *, attempts: bool) -> NoticeResource:
    assert isinstance(execution.event, Request)
    notice = Notice.from_bytes(execution.event.body)
    path = f"/notifications/{execution.receiver}"
    shown = {
        "self": links.to(f"{path}/notices/{execution.id}"),
        "notification": links.to(path),
    }
    if notice.execution:
        shown["execution"] = links.to(f"/executions/{notice.execution}")
    if notice.delivery:
        shown["delivery"] = links.to(f"/deliveries/{notice.delivery}")
    return NoticeResource(
        type="notice",
        id=execution.id,
        notification=execution.receiver,
        happened=notice.happened,
        about=notice.execution or notice.delivery,
        image=notice.image,
        state=execution.state,
        reason=execution.reason,
        message=execution.message,
        replay_of=execution.replay_of,
        created=execution.created,
        due=execution.due,
        finished=execution.finished,
        attempts=[attempt_resource(each) for each in execution.attempts] if attempts else None,
        links=shown,
        actions={},
    )
