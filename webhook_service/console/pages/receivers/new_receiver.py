"""A new receiver, step by step: what to change, who calls, which pushes; then its first call.

What was said so far goes along in the form, so that the steps need no JavaScript and store nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.console.guides import guide
from webhook_service.console.site import Site
from webhook_service.console.visitor import Visitor
from webhook_service.driver import Offer
from webhook_service.errors import InvalidRequest, WebhookServiceError
from webhook_service.host.api.callers.access import Action
from webhook_service.images import InvalidImage, parse_image
from webhook_service.model.receiver import config_field

POLICIES = ("any", "exact", "glob", "regex", "semver", "newer", "highest")
STEPS = ("what", "who", "which")
GUESSED = ("name", "repositories", "policy", "value")
DRIVER, FORMAT = "deploymentUpdate", "dockerhub"
_VERSION = re.compile(r"v?(\d+)\.\d+\.\d+")


class NewReceiverPage:
    """``/receivers/new``, with ``…/try`` and ``…/json``."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._service = site.service

    def routes(self) -> list[Route]:
        """Its routes."""
        new = "/receivers/new"
        return [
            Route(new, self.begin, methods=["GET"]),
            Route(new, self.go_on, methods=["POST"]),
            Route(f"{new}/try", self.try_rules, methods=["POST"]),
            Route(f"{new}/json", self.ask_for_json, methods=["GET"]),
            Route(f"{new}/json", self.take_json, methods=["POST"]),
        ]

    async def begin(self, request: Request) -> Response:
        """The first step."""
        visitor = await self._site.enter(request, Action.CREATE)
        return await self._step(request, visitor, {}, "what")

    async def go_on(self, request: Request) -> Response:
        """The step that was asked for, or the receiver."""
        visitor = await self._site.enter(request, Action.CREATE)
        form = dict(await self._site.form(request))
        wanted = form.pop("go", "what")
        try:
            if "pick" in form or "take" in form:
                wanted = "who" if "take" in form else "what"
                form = _picked(form)
            if wanted != "what":
                _config(form.get("config", ""))
        except InvalidRequest as exc:
            return await self._step(request, visitor, form, "what", exc.message)
        if wanted != "create":
            return await self._step(request, visitor, form, wanted)
        try:
            return await self._create(visitor, body_of(form))
        except WebhookServiceError as exc:
            return await self._step(request, visitor, form, "which", exc.message)

    async def try_rules(self, request: Request) -> Response:
        """The third step, with the tags of the registry that its rules would let pass."""
        visitor = await self._site.enter(request, Action.CREATE)
        form = await self._site.form(request)
        shown: dict[str, Any] = {}
        try:
            tried = self._service.choosing.tried
            shown["tried"] = await self._site.call(tried, visitor.project, body_of(form))
        except WebhookServiceError as exc:
            shown["untried"] = exc.message
        return await self._step(request, visitor, form, "which", **shown)

    async def ask_for_json(self, request: Request) -> Response:
        """A form for the receiver as JSON."""
        visitor = await self._site.enter(request, Action.CREATE)
        return await self._json(request, visitor, json.dumps(body_of({"name": "shop"}), indent=2))

    async def take_json(self, request: Request) -> Response:
        """The receiver of this JSON; from the wizard what was said there so far, as JSON."""
        visitor = await self._site.enter(request, Action.CREATE)
        form = await self._site.form(request)
        try:
            if "body" not in form:
                return await self._json(request, visitor, json.dumps(body_of(form), indent=2))
            return await self._create(visitor, _config(form["body"]))
        except WebhookServiceError as exc:
            return await self._json(request, visitor, form.get("body", "{}"), exc.message)

    async def _create(self, visitor: Visitor, body: Mapping[str, Any]) -> Response:
        made = await self._site.call(
            self._service.create_receiver,
            visitor.project,
            body,
            by=visitor.actor,
            role=visitor.role,
        )
        return self._site.go(visitor, f"/receivers/{made.id}/first", "created")

    async def _json(
        self, request: Request, visitor: Visitor, body: str, problem: str = ""
    ) -> Response:
        status = 422 if problem else 200
        return await self._site.page(
            request, visitor, "new_receiver_json.html", status, body=body, problem=problem
        )

    async def _step(
        self,
        request: Request,
        visitor: Visitor,
        form: Mapping[str, str],
        step: str,
        problem: str = "",
        **more: Any,
    ) -> Response:
        service = self._service
        step = step if step in STEPS else "what"
        formats = await self._site.call(lambda: dict(service.formats.plugins.targets))
        senders = {name: kind.sender for name, kind in formats.items()}
        chosen = senders.get(form.get("format") or FORMAT)
        offers, unread = await self._offers(visitor, form) if step == "what" else ((), "")
        shown: dict[str, Any] = {
            "tried": (),
            "untried": "",
            "offers": offers,
            "unread": unread,
            "said_so_far": {"driver": DRIVER, "format": FORMAT, **_suggested(form), **form},
            **more,
        }
        return await self._site.page(
            request,
            visitor,
            "new_receiver.html",
            422 if problem else 200,
            step=step,
            problem=problem,
            drivers=await self._site.call(lambda: service.drivers.names),
            senders=senders,
            sender=chosen,
            guide=guide(chosen.page) if chosen else (),
            schemes=await self._site.call(lambda: service.schemes.names),
            policies=POLICIES,
            **shown,
        )

    async def _offers(
        self, visitor: Visitor, form: Mapping[str, str]
    ) -> tuple[tuple[Offer, ...], str]:
        """What the live system has to pick from, or why it cannot be read."""
        driver = form.get("driver") or DRIVER
        try:
            config = _config(form.get("config", ""))
            found = await self._site.call(
                self._service.choosing.offers, visitor.project, driver, config
            )
        except WebhookServiceError as exc:
            return (), exc.message
        return found, ""


def body_of(form: Mapping[str, str]) -> dict[str, Any]:
    """The receiver's JSON that the form means.

    Raises:
        InvalidRequest: a part that is to be JSON is none.
    """
    driver = form.get("driver") or DRIVER
    tags: dict[str, Any] = {"policy": form.get("policy") or "any"}
    if form.get("value"):
        tags["value"] = form["value"]
    match: dict[str, Any] = {"tags": tags}
    if named := form.get("repositories", "").split():
        match["repositories"] = named
    verify: dict[str, Any] = {"scheme": form.get("scheme") or "none"}
    if form.get("secret"):
        verify["secret"] = form["secret"]
    return {
        "name": form.get("name", ""),
        "driver": driver,
        config_field(driver): _config(form.get("config", "")),
        "source": {"format": form.get("format") or FORMAT},
        "match": match,
        "verify": verify,
        "state": "suspended" if form.get("suspended") else "active",
    }


def _picked(form: Mapping[str, str]) -> dict[str, str]:
    """The form with what a button of the first step says; the rest is suggested anew for it."""
    rest = {name: value for name, value in form.items() if name not in ("pick", "take", *GUESSED)}
    said = _config(form.get("take") or form.get("pick", ""))
    images = said.get("images")
    texts = [each for each in images if isinstance(each, str)] if isinstance(images, list) else []
    return {**rest, "config": json.dumps(said.get("config", {})), "images": " ".join(texts)}


def _suggested(form: Mapping[str, str]) -> dict[str, str]:
    """What the rest of the form begins with: what runs there now goes on to be followed."""
    found: dict[str, str] = {}
    try:
        config = _config(form.get("config", ""))
        images = [parse_image(image) for image in form.get("images", "").split()]
    except (InvalidRequest, InvalidImage):
        return {}
    if isinstance(config.get("name"), str):
        found["name"] = config["name"]
    if images:
        found["repositories"] = " ".join(dict.fromkeys(image.name for image in images))
        version = _VERSION.match(images[0].tag or "")
        found |= {"policy": "semver", "value": f"^{version[1]}"} if version else {"policy": "any"}
    return found


def _config(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError as exc:
        raise InvalidRequest(f"This is no JSON: {exc}.") from None
    if not isinstance(found, dict):
        raise InvalidRequest("Write a JSON object: {…}.")
    return found
