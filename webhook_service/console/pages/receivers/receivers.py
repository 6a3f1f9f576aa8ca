"""Receivers: the list, one of them, and what can be done with it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.console.commands import Command, cli, post, takes_plain_calls, with_url
from webhook_service.console.site import Site
from webhook_service.console.visitor import Visitor
from webhook_service.errors import InvalidRequest, OutdatedVersion, WebhookServiceError
from webhook_service.host.api.callers.access import Action
from webhook_service.model.history.delivery_log import LogQuery
from webhook_service.model.history.revision import Revision
from webhook_service.model.ids import hide_keys
from webhook_service.model.pages import PageRequest
from webhook_service.model.receiver import Receiver, as_json

MOST = 1000
MEANWHILE = (
    "Somebody else changed this receiver while you did, so yours was not stored. Copy what you "
    "need of it, look at the receiver as it is now, and repeat your change there."
)
# Those of ``testing.samples``, which a host does not load.
SAMPLED = frozenset(
    "alicloud azure cloudsmith distribution dockerhub ecr gitea github gitlab google harbor jfrog "
    "nexus quay zot".split()
)


class ReceiversPage:
    """``/receivers`` and ``/receivers/{id}``."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._service = site.service
        self._people = site.service.interventions

    def routes(self) -> list[Route]:
        """Its routes."""
        one = "/receivers/{id}"
        return [
            Route("/receivers", self.show_all, methods=["GET"]),
            Route(one, self.show, methods=["GET"]),
            Route(one, self.change, methods=["POST"]),
            Route(f"{one}/push", self.push, methods=["POST"]),
            Route(f"{one}/suspend", self.suspend, methods=["POST"]),
            Route(f"{one}/resume", self.resume, methods=["POST"]),
            Route(f"{one}/rotate", self.rotate, methods=["POST"]),
            Route(f"{one}/delete", self.delete, methods=["POST"]),
        ]

    async def show_all(self, request: Request) -> Response:
        """All receivers of the project, with what is wrong with them."""
        visitor = await self._site.enter(request)
        marker = request.query_params.get("marker") or None
        asked = PageRequest(limit=MOST, marker=marker)
        page = await self._site.call(self._service.list_receivers, visitor.project, asked)
        problems = await self._site.call(self._service.receiver_problems, page.items)
        return await self._site.page(
            request,
            visitor,
            "receivers.html",
            receivers=page.items,
            problems=problems,
            marker=marker,
            older=page.next,
        )

    async def show(self, request: Request) -> Response:
        """One receiver."""
        visitor = await self._site.enter(request)
        receiver = await self._receiver(request, visitor)
        return await self._show(request, visitor, receiver)

    async def change(self, request: Request) -> Response:
        """Store other rules, as the API's PUT does; with a version, so that nothing is lost."""
        visitor = await self._site.enter(request, Action.UPDATE)
        form = await self._site.form(request)
        receiver = await self._receiver(request, visitor)
        text, version = form.get("body", ""), form.get("version", "")
        # Shown again as it was sent: what others stored meanwhile is not replaced by a second try.
        again: dict[str, Any] = {"body": text, "version": version}
        try:
            await self._site.call(
                self._service.update_receiver,
                visitor.project,
                receiver.id,
                _read(text),
                version=_version(version),
                by=visitor.actor,
                role=visitor.role,
            )
        except OutdatedVersion:
            return await self._show(
                request, visitor, receiver, problem=MEANWHILE, outdated=True, **again
            )
        except WebhookServiceError as exc:
            return await self._show(request, visitor, receiver, problem=exc.message, **again)
        return self._site.go(visitor, f"/receivers/{receiver.id}", "changed")

    async def push(self, request: Request) -> Response:
        """Take an image as if its registry had told of it."""
        visitor = await self._site.enter(request, Action.PUSH)
        form = await self._site.form(request)
        receiver = await self._receiver(request, visitor)
        image = form.get("image", "")
        try:
            taken = await self._site.call(
                self._people.push, visitor.project, receiver.id, image, by=visitor.actor
            )
        except WebhookServiceError as exc:
            return await self._show(request, visitor, receiver, problem=exc.message, image=image)
        return self._site.go(visitor, f"/deliveries/{taken.id}", "pushed")

    async def suspend(self, request: Request) -> Response:
        """Ignore calls and begin nothing."""
        visitor = await self._site.enter(request, Action.UPDATE)
        id_ = str(request.path_params["id"])
        suspend = self._service.suspend_receiver
        await self._site.call(suspend, visitor.project, id_, by=visitor.actor)
        return self._site.go(visitor, f"/receivers/{id_}", "suspended")

    async def resume(self, request: Request) -> Response:
        """End a suspension."""
        visitor = await self._site.enter(request, Action.UPDATE)
        id_ = str(request.path_params["id"])
        resume = self._service.resume_receiver
        await self._site.call(resume, visitor.project, id_, by=visitor.actor)
        return self._site.go(visitor, f"/receivers/{id_}", "resumed")

    async def rotate(self, request: Request) -> Response:
        """Give the receiver a new URL."""
        visitor = await self._site.enter(request, Action.ROTATE)
        receiver = await self._receiver(request, visitor)
        rotate = self._service.rotate_key
        await self._site.call(rotate, visitor.project, receiver.id, by=visitor.actor)
        return self._site.go(visitor, f"/receivers/{receiver.id}", "rotated")

    async def delete(self, request: Request) -> Response:
        """Delete the receiver; whoever wants that types its name."""
        visitor = await self._site.enter(request, Action.DELETE)
        form = await self._site.form(request)
        receiver = await self._receiver(request, visitor)
        if form.get("name") != receiver.name:
            problem = f"To delete the receiver, type its name: {receiver.name}."
            return await self._show(request, visitor, receiver, problem=problem)
        delete = self._service.delete_receiver
        await self._site.call(
            delete, visitor.project, receiver.id, by=visitor.actor, role=visitor.role
        )
        return self._site.go(visitor, "/receivers", "deleted")

    async def _receiver(self, request: Request, visitor: Visitor) -> Receiver:
        get, id_ = self._service.get_receiver, str(request.path_params["id"])
        return await self._site.call(get, visitor.project, id_)

    async def _show(
        self, request: Request, visitor: Visitor, receiver: Receiver, **more: Any
    ) -> Response:
        service, project = self._service, visitor.project
        problems = await self._site.call(service.receiver_problems, [receiver])
        history = await self._history(visitor, receiver)
        log = await self._site.call(service.overview.log, project, LogQuery(receiver=receiver.id))
        url = ""
        if visitor.may("update"):
            key = await self._site.call(service.receiver_key, project, receiver.id)
            url = self._site.endpoint(request, project, key)
        shown = {
            "problem": problems.get(receiver.id, ""),
            "body": json.dumps(as_json(receiver.spec), indent=2, ensure_ascii=False),
            "image": suggestion(receiver, history),
            "version": receiver.version,
            "outdated": False,
            **more,
        }
        return await self._site.page(
            request,
            visitor,
            "receiver.html",
            422 if "problem" in more else 200,
            receiver=receiver,
            history=history,
            people=await self._site.people(visitor),
            entries=log.entries[:10],
            address=url,
            hidden=hide_keys(url),
            commands=_commands(self._site.api(request), receiver, project),
            **shown,
        )

    async def _history(self, visitor: Visitor, receiver: Receiver) -> Sequence[Revision]:
        try:
            return await self._site.call(self._people.history, visitor.project, receiver.id)
        except WebhookServiceError:  # its target or its plug-in does not answer
            return ()


def suggestion(receiver: Receiver, history: Sequence[Revision]) -> str:
    """An image to begin with in the form for a push: the repository that the receiver is about."""
    for revision in history:
        reference = getattr(revision.execution.event, "reference", None)
        if reference is not None:
            return f"{reference.name.removeprefix('docker.io/')}:{reference.tag or ''}"
    named = [name for name in receiver.spec.match.repositories if "*" not in name]
    return f"{named[0]}:" if named else ""


def _read(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as exc:
        raise InvalidRequest(f"This is no JSON: {exc}.") from None
    if not isinstance(found, dict):
        raise InvalidRequest("Write a JSON object: {…}.")
    return found


def _version(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _commands(api: str, receiver: Receiver, project: str) -> list[Command]:
    name = receiver.id
    found = [
        Command("This receiver", cli("receiver", "show", name, project=project)),
        Command("Its history", cli("receiver", "history", name, project=project)),
        Command("Roll back", cli("rollback", name, project=project), Action.ROLLBACK),
        Command(
            "Roll back with curl",
            post(api, f"/receivers/{name}/rollback", project),
            Action.ROLLBACK,
        ),
    ]
    if takes_plain_calls(receiver) and (line := _sample(receiver)):
        found.append(Command("Send it a sample push", with_url(name, project, line), Action.UPDATE))
    return found


def _sample(receiver: Receiver) -> str | None:
    """A line that sends a push that the receiver takes; None if nobody knows what it looks like."""
    source = receiver.spec.source
    chosen = source.options.get("formats") if source.format == "auto" else [source.format]
    format_ = next(iter(chosen or ["dockerhub"]))
    if format_ not in SAMPLED:
        return None
    named = next(
        (each for each in receiver.spec.match.repositories if "*" not in each), "acme/shop"
    )
    image = shlex.quote(f"{named}:1.2.3")
    return f'webhook-service send --format {format_} --image {image} "$URL"'
