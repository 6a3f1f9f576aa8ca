"""The endpoint: where senders call. Read, hand over, answer; a 2xx means it is stored for good."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

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
from webhook_service.telemetry.observer import Refused

UNUSABLE_RETRY = 300

log = logging.getLogger(__name__)


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
        try:
            body = await self._body(request, client)
            failpoint("host.read")
            query = read_query(request)
            project, key = self._credentials(query)
            links = self._addresses.links(request, project)
            call = Call(body, _headers(request), query, client, proxies.sent(request))
            self._rates.admit(client, key)
            delivery = await self._accept(project, key, call)
            self._rates.known(key)
            _log(delivery)
        except WebhookServiceError as exc:
            self._refused(client, exc)
            raise
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
        try:
            project, key = self._credentials(read_query(request))
            self._rates.admit(client, key)
            with _unusable_hidden(project):
                await run_in_threadpool(self._service.require_key, project, key)
        except WebhookServiceError as exc:
            self._refused(client, exc)
            raise
        headers = {"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*", "Allow": "POST"}
        return Response(headers=headers)

    async def wrong_method(self, request: Request) -> Response:
        """Answer as v1.6 does, to whom this path is unknown, and let the receiver's people know."""
        client = self._addresses.proxies.client(request)
        exc = WrongMethod(f"Calls are sent with POST, and this one was sent with {request.method}.")
        await self._keep(request, client, exc)
        if exc.receiver is not None:
            self._refused(client, exc)
        raise HTTPException(404)

    async def _body(self, request: Request, client: str) -> bytes:
        try:
            return await read_body(request, self._limits)
        except WebhookServiceError as exc:
            await self._keep(request, client, exc)
            raise

    async def _keep(self, request: Request, client: str, exc: WebhookServiceError) -> None:
        """Keep a call that is refused before its key was looked up, if the key is known."""
        with suppress(WebhookServiceError):
            query = read_query(request)
            project, key = self._credentials(query)
            self._rates.admit(client, key)
            call = Call(b"", _headers(request), query, client)
            await run_in_threadpool(self._service.refusals.keep, project, key, call, exc)
            if exc.receiver is None:
                self._rates.unknown(client)
            else:
                self._rates.known(key)

    def _refused(self, client: str, exc: WebhookServiceError) -> None:
        if isinstance(exc, UnknownKey):
            self._rates.unknown(client)
        if exc.receiver is None:
            log.info("call from %s refused: %d %s", client, exc.status, exc.code)
        else:
            log.info(
                "call from %s to receiver %s refused: %d %s: %s",
                *(client, exc.receiver, exc.status, exc.code, exc.message),
            )
        self._service.observers.tell(Refused(exc.code, exc.receiver))

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
        log.error("The receiver %s of %r cannot take calls: %s", exc.receiver, project, exc)
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
