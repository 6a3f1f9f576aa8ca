"""Notifications over HTTP: create, read, change, delete, try, and what became of each notice."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.host.api.callers.access import Action, Caller, Guard
from webhook_service.host.api.callers.threads import Threads
from webhook_service.host.api.document.operation import Operation, operation, pages
from webhook_service.host.api.fields import asked_version
from webhook_service.host.http.address import path_of
from webhook_service.host.http.body import BodyLimits, json_body
from webhook_service.host.http.links import PREFIX
from webhook_service.host.http.query import QueryField, page_request
from webhook_service.host.http.routes import by_method
from webhook_service.host.wire import answer, notice_json, notification_json, page_json
from webhook_service.model.execution import Execution
from webhook_service.model.notification import Notification
from webhook_service.resources import (
    NoRequest,
    NoticeResource,
    NotificationRequest,
    NotificationResource,
    NotificationUpdate,
)
from webhook_service.service import WebhookService

MISSING = "Notification not found"
FILTERS = (
    QueryField("id", "One notification."),
    QueryField("name", "The notification with this name."),
    QueryField("kind", "Those of this kind."),
)
NOTICE_FILTERS = (
    QueryField("id", "One notice."),
    QueryField("state", "Those in this state, such as `failed`."),
)


class Notifications:
    """``/v1-webhooks/notifications``."""

    def __init__(
        self, service: WebhookService, guard: Guard, threads: Threads, limits: BodyLimits
    ) -> None:
        self._notifications = service.notifications
        self._guard = guard
        self._call = threads.call
        self._limits = limits

    def routes(self) -> list[Route]:
        """Its routes."""
        one = f"{PREFIX}/notifications/{{id}}"
        notice = f"{one}/notices/{{notice}}"
        return [
            *by_method(f"{PREFIX}/notifications", GET=self.page, POST=self.create),
            *by_method(one, GET=self.one, PUT=self.update, DELETE=self.delete),
            *by_method(f"{one}/test", POST=self.test),
            *by_method(f"{one}/notices", GET=self.notices),
            *by_method(notice, GET=self.notice),
            *by_method(f"{notice}/replay", POST=self.replay),
        ]

    @operation(
        Operation("listNotifications", NotificationResource, many=True, query=pages(*FILTERS))
    )
    async def page(self, request: Request) -> Response:
        """The project's notifications, newest first, each with its newest notice."""
        caller = await self._guard.admit(request)
        asked = page_request(caller.query, FILTERS)
        page = await self._call(self._notifications.list, caller.project, asked)
        ids = [each.id for each in page.items]
        last = await self._call(self._notifications.last, caller.project, ids)
        links = caller.links
        data = [notification_json(each, last.get(each.id), links) for each in page.items]
        path = path_of(request)
        return answer(links, page_json(links, path, "notification", data, page, caller.query))

    @operation(
        Operation(
            "createNotification", NotificationResource, body=NotificationRequest, needs_body=True
        )
    )
    async def create(self, request: Request) -> Response:
        """Let somebody be told of what happens."""
        caller = await self._guard.admit(request, Action.CREATE)
        body = await json_body(request, self._limits)
        made = await self._call(
            self._notifications.create, caller.project, body, by=caller.actor, role=caller.role
        )
        return await self._answer(caller, made)

    @operation(Operation("getNotification", NotificationResource))
    async def one(self, request: Request) -> Response:
        """One notification."""
        caller = await self._guard.admit(request, missing=MISSING)
        found = await self._call(self._notifications.get, caller.project, _id(request))
        return await self._answer(caller, found)

    @operation(
        Operation(
            "updateNotification",
            NotificationResource,
            body=NotificationUpdate,
            needs_body=True,
            statuses=(409, 412),
        )
    )
    async def update(self, request: Request) -> Response:
        """Change the fields that the body has."""
        caller = await self._guard.admit(request, Action.UPDATE, MISSING)
        body = await json_body(request, self._limits)
        changed = await self._call(
            self._notifications.update,
            caller.project,
            _id(request),
            body,
            version=asked_version(request),
            by=caller.actor,
            role=caller.role,
        )
        return await self._answer(caller, changed)

    @operation(Operation("deleteNotification", None, answers=(204,)))
    async def delete(self, request: Request) -> Response:
        """End a notification; what it has not sent yet is not sent any more."""
        caller = await self._guard.admit(request, Action.DELETE, MISSING)
        await self._call(self._notifications.delete, caller.project, _id(request), by=caller.actor)
        return Response(status_code=204)

    @operation(Operation("testNotification", NoticeResource, body=NoRequest))
    async def test(self, request: Request) -> Response:
        """Send a test now, whatever is told and filtered otherwise."""
        caller = await self._guard.admit(request, Action.UPDATE, MISSING)
        made = await self._call(
            self._notifications.test, caller.project, _id(request), by=caller.actor
        )
        return _told(caller, made)

    @operation(Operation("listNotices", NoticeResource, many=True, query=pages(*NOTICE_FILTERS)))
    async def notices(self, request: Request) -> Response:
        """What a notification has sent or is to send, newest first."""
        caller = await self._guard.admit(request, missing=MISSING)
        asked = page_request(caller.query, NOTICE_FILTERS)
        page = await self._call(self._notifications.notices, caller.project, _id(request), asked)
        links, path = caller.links, path_of(request)
        data = [notice_json(each.execution, links, attempts=False) for each in page.items]
        return answer(links, page_json(links, path, "notice", data, page, caller.query))

    @operation(Operation("getNotice", NoticeResource))
    async def notice(self, request: Request) -> Response:
        """One notice, with its attempts."""
        caller = await self._guard.admit(request, missing="Notice not found")
        found = await self._call(
            self._notifications.notice, caller.project, _id(request), _notice(request)
        )
        return _told(caller, found)

    @operation(Operation("replayNotice", NoticeResource, body=NoRequest))
    async def replay(self, request: Request) -> Response:
        """Send an ended notice once more."""
        caller = await self._guard.admit(request, Action.REPLAY, "Notice not found")
        made = await self._call(
            self._notifications.replay,
            caller.project,
            _id(request),
            _notice(request),
            by=caller.actor,
        )
        return _told(caller, made)

    async def _answer(self, caller: Caller, found: Notification) -> Response:
        last = await self._call(self._notifications.last, caller.project, [found.id])
        shown = notification_json(found, last.get(found.id), caller.links)
        told = answer(caller.links, shown)
        told.headers["ETag"] = f'"{found.version}"'
        return told


def _told(caller: Caller, notice: Execution) -> Response:
    return answer(caller.links, notice_json(notice, caller.links, attempts=True))


def _id(request: Request) -> str:
    return str(request.path_params["id"])


def _notice(request: Request) -> str:
    return str(request.path_params["notice"])
