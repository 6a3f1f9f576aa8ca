"""The endpoint: where senders call. Read, hand over, answer; a 2xx means it is stored for good."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.errors import (
    InvalidConfig,
    InvalidPayload,
    InvalidRequest,
    PluginUnavailable,
    Unauthenticated,
    Unavailable,
    UnknownKey,
    WebhookServiceError,
    WrongMethod,
)
from webhook_service.failpoints import failpoint
from webhook_service.host.http.address import Addresses
from webhook_service.host.http.body import BodyLimits, read_body
from webhook_service.host.http.links import PREFIX
from webhook_service.host.http.query import read_query
from webhook_service.host.http.routes import by_method
from webhook_service.host.http.wire import answer, decision_json
from webhook_service.host.limits.rates import CallRates
from webhook_service.host.outcomes import Outcomes
from webhook_service.model.delivery import Call, Delivery
from webhook_service.service import WebhookService
from webhook_service.telemetry.logs import sparing
from webhook_service.telemetry.observer import Refused

UNUSABLE_RETRY = 300

log = logging.getLogger(__name__)
refusals = sparing(__name__)


class Endpoint:
    """``POST /v1-webhooks/endpoint?key=whk_…&projectId=…``; the key is the only credential.

    A URL of v1.6's first releases has ``?token=`` instead, which stands for both.
    """

    def __init__(
        self,
        service: WebhookService,
        addresses: Addresses,
        limits: BodyLimits,
        rates: CallRates,
        outcomes: Outcomes,
    ) -> None:
        self._service = service
        self._addresses = addresses
        self._limits = limits
        self._rates = rates
        self._outcomes = outcomes

    @property
    def paths(self) -> list[str]:
        return [route.path for route in self.routes()]

    def routes(self) -> list[Route]:
        others = dict.fromkeys(("GET", "PUT", "PATCH", "DELETE"), self.wrong_method)
        return by_method(f"{PREFIX}/endpoint", POST=self.call, OPTIONS=self.permit, **others)

    async def call(self, request: Request) -> Response:
        """Take one call of a sender."""
        proxies = self._addresses.proxies
        client = proxies.client(request)
        async with self._rated(client, request) as (query, project, key):
            links = self._addresses.links(request, project)
            body = await self._body(request, query, project, key)
            failpoint("host.read")
            call = Call(body, _headers(request), query, client, proxies.sent(request))
            delivery = await self._accept(project, key, call)
        _log(delivery)
        if delivery.reply is not None:
            return answer(links, dict(delivery.reply))
        told = await self._outcomes.answer(request, delivery, links)
        told = told or answer(links, decision_json(delivery, links))
        failpoint("host.answered")
        return told

    def _credentials(self, query: Mapping[str, str]) -> tuple[str, str]:
        """Project and key of a call, refused in v1.6's words."""
        if key := query.get("key"):
            project = query.get("projectId", "").removesuffix("/")
            if not project:
                raise InvalidRequest("Invalid execute url, url must contain projectId")
            return project, key
        if token := query.get("token"):
            if token.count(".") != 2:
                raise InvalidRequest(
                    "Invalid token error: token contains an invalid number of segments"
                )
            return self._service.read_v16_token(token)
        raise InvalidRequest("Invalid execute url, should have 'token' or 'key'")

    async def permit(self, request: Request) -> Response:
        """Tell a CloudEvents sender that it may call, as it asks before its first event.

        https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md#4-abuse-protection
        """
        origin = request.headers.get("webhook-request-origin")
        if not origin:
            raise HTTPException(404)
        client = self._addresses.proxies.client(request)
        async with self._rated(client, request) as (_, project, key):
            with _unusable_hidden(project):
                await run_in_threadpool(self._service.require_key, project, key)
        headers = {"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*", "Allow": "POST"}
        return Response(headers=headers)

    async def wrong_method(self, request: Request) -> Response:
        """Answer as v1.6 does, to whom this path is unknown, and let the receiver's people know."""
        client = self._addresses.proxies.client(request)
        exc = WrongMethod(f"Calls are sent with POST, and this one was sent with {request.method}.")
        with suppress(WebhookServiceError):
            async with self._rated(client, request) as (query, project, key):
                await self._keep(request, query, project, key, exc)
                raise exc if exc.receiver else UnknownKey("The key is unknown.")
        raise HTTPException(404)

    async def _body(
        self, request: Request, query: Mapping[str, str], project: str, key: str
    ) -> bytes:
        try:
            return await read_body(request, self._limits)
        except WebhookServiceError as exc:
            await self._keep(request, query, project, key, exc)
            raise

    async def _keep(
        self,
        request: Request,
        query: Mapping[str, str],
        project: str,
        key: str,
        exc: WebhookServiceError,
    ) -> None:
        """Keep a call that is refused before its key was looked up, if the key is known."""
        call = Call(b"", _headers(request), query, self._addresses.proxies.client(request))
        with suppress(WebhookServiceError):
            await run_in_threadpool(self._service.refusals.keep, project, key, call, exc)

    @asynccontextmanager
    async def _rated(
        self, client: str, request: Request
    ) -> AsyncIterator[tuple[Mapping[str, str], str, str]]:
        """Query, project and key of a call that may be read; and count what came of it.

        Raises:
            TooManyRequests: it is one too many.
        """
        rates, sent = self._rates, ""
        try:
            query = read_query(request)
            sent = query.get("key") or query.get("token") or ""
            rates.admit(client, sent)
            if sent and rates.guesses.suspects(client, sent):
                project, key = await rates.guesses.look_up(self._find, query)
            else:
                project, key = self._credentials(query)
            yield query, project, key
            rates.accepted(client, sent)
        except WebhookServiceError as exc:
            if isinstance(exc, UnknownKey):
                rates.guesses.wrong(client, sent)
            if isinstance(exc, Unauthenticated):
                rates.unproven(client, sent)
            self._tell_refused(client, exc)
            raise

    def _tell_refused(self, client: str, exc: WebhookServiceError) -> None:
        if exc.receiver is None:
            refusals.info("call from %s refused: %d %s", client, exc.status, exc.code)
        else:
            refusals.info(
                "call from %s to receiver %s refused: %d %s: %s",
                *(client, exc.receiver, exc.status, exc.code, exc.message),
            )
        self._service.observers.tell(Refused(exc.code, exc.receiver))

    def _find(self, query: Mapping[str, str]) -> tuple[str, str]:
        """Project and key of a call, if the key is live."""
        project, key = self._credentials(query)
        with _unusable_hidden(project):
            self._service.require_key(project, key)
        return project, key

    async def _accept(self, project: str, key: str, call: Call) -> Delivery:
        """What the service decided, refused in v1.6's words."""
        try:
            with _unusable_hidden(project):
                return await self._service.accept_async(project, key, call)
        except InvalidPayload as exc:
            message = f"Error {exc.message} in executing driver for {exc.driver}"
            raise _of(exc.receiver, InvalidPayload(message, exc.driver)) from exc


def _of(receiver: str | None, exc: WebhookServiceError) -> WebhookServiceError:
    exc.receiver = receiver
    return exc


@contextmanager
def _unusable_hidden(project: str) -> Iterator[None]:
    """The sender cannot help what is wrong with a receiver, and it is not for strangers."""
    try:
        yield
    except (InvalidConfig, PluginUnavailable) as exc:
        refusals.error("The receiver %s of %r cannot take calls: %s", exc.receiver, project, exc)
        told = "The receiver cannot take calls now; nothing was stored."
        raise _of(exc.receiver, Unavailable(told, UNUSABLE_RETRY)) from exc


def _headers(request: Request) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in request.headers.items():
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _log(delivery: Delivery) -> None:
    log.info(
        "delivery %s of receiver %s: %s%s",
        delivery.id,
        delivery.receiver,
        delivery.state,
        f" ({delivery.reason})" if delivery.reason else "",
    )
