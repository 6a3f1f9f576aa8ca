"""The endpoint: where senders call. Read, hand over, answer; a 2xx means it is stored for good."""

from __future__ import annotations

import hashlib
import logging
import ssl
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
from webhook_service.host.api.document.operation import Operation, operation
from webhook_service.host.http.address import Addresses
from webhook_service.host.http.body import BodyLimits, read_body
from webhook_service.host.http.links import PREFIX
from webhook_service.host.http.query import QueryField, read_query
from webhook_service.host.http.routes import by_method
from webhook_service.host.limits.rates import CallRates
from webhook_service.host.outcomes import Outcomes
from webhook_service.host.wire import answer, decision_json
from webhook_service.model.delivery import Call, ClientCertificate, Delivery
from webhook_service.resources import OutcomeResource
from webhook_service.service import WebhookService
from webhook_service.telemetry.logs import sparing
from webhook_service.telemetry.observer import Refused
from webhook_service.telemetry.tracing import Traced, span

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

    @operation(
        Operation(
            "callReceiver",
            OutcomeResource,
            body="call",
            scope="open",
            query=(
                QueryField("key", "The key of the receiver or inbox: `whk_…`.", needed=True),
                QueryField("projectId", "Its project.", needed=True),
            ),
            statuses=(400, 401, 403, 404, 408, 413, 415, 429, 503),
            answers=(200, 202, 409, 424),
        )
    )
    async def call(self, request: Request) -> Response:
        """Take one call of a sender."""
        with span("webhook call", "server", sender=request.headers) as traced:
            return await self._call(request, traced)

    async def _call(self, request: Request, traced: Traced) -> Response:
        proxies = self._addresses.proxies
        client = proxies.client(request)
        async with self._rated(client, request) as (query, project, key):
            links = self._addresses.links(request, project)
            body = await self._body(request, query, project, key)
            failpoint("host.read")
            through, certificate = proxies.sent(request), _certificate(request)
            call = Call(body, _headers(request), query, client, through, certificate)
            delivery = await self._accept(project, key, call)
        _log(delivery)
        _trace(traced, delivery)
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
            await run_in_threadpool(self._service.require_key, project, key)
        headers = {"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*", "Allow": "POST"}
        return Response(headers=headers)

    async def wrong_method(self, request: Request) -> Response:
        """Tell people who try a URL that it lives, and let the receiver's people know.

        Without a key that is known it is answered as v1.6 does, to whom this path is unknown.
        """
        client = self._addresses.proxies.client(request)
        exc = WrongMethod(
            "This URL works, and takes calls with POST. This one was sent with "
            f"{request.method}, so nothing was done: enter the URL at the sender of the pushes."
        )
        with suppress(WebhookServiceError):
            async with self._rated(client, request) as (query, project, key):
                await self._keep(request, query, project, key, exc)
                raise exc if exc.receiver else UnknownKey("The key is unknown.")
        raise exc if exc.receiver else HTTPException(404)

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
            refusals.info(
                *("call from %s refused: %d %s", client, exc.status, exc.code),
                extra={"client": client, "status": exc.status, "reason": exc.code},
            )
        else:
            refusals.info(
                "call from %s to receiver %s refused: %d %s: %s",
                *(client, exc.receiver, exc.status, exc.code, exc.message),
                extra={
                    "receiver": exc.receiver,
                    "client": client,
                    "status": exc.status,
                    "reason": exc.code,
                },
            )
        self._service.observers.tell(Refused(exc.code, exc.receiver))

    def _find(self, query: Mapping[str, str]) -> tuple[str, str]:
        """Project and key of a call, if the key is live."""
        project, key = self._credentials(query)
        self._service.require_key(project, key)
        return project, key

    async def _accept(self, project: str, key: str, call: Call) -> Delivery:
        """What the service decided, refused in v1.6's words."""
        try:
            with _unusable_hidden(project):
                return await self._service.accept_async(project, key, call)
        except InvalidPayload as exc:
            if not exc.driver:  # of an inbox, which v1.6 did not have
                raise
            raise _of(exc.receiver, InvalidPayload(_in_driver(exc), exc.driver)) from exc


def _in_driver(exc: InvalidPayload) -> str:
    """v1.6's words around its own, and before what is a sentence already."""
    if exc.message.endswith("."):
        return f"Error in executing driver for {exc.driver}: {exc.message}"
    return f"Error {exc.message} in executing driver for {exc.driver}"


def _of(receiver: str | None, exc: WebhookServiceError) -> WebhookServiceError:
    exc.receiver = receiver
    return exc


@contextmanager
def _unusable_hidden(project: str) -> Iterator[None]:
    """The sender cannot help what is wrong with a receiver, and it is not for strangers."""
    try:
        yield
    except (InvalidConfig, PluginUnavailable) as exc:
        refusals.error(
            *("The receiver %s of %r cannot take calls: %s", exc.receiver, project, exc),
            extra={"project": project, "receiver": exc.receiver},
        )
        told = "The receiver cannot take calls now; nothing was stored."
        raise _of(exc.receiver, Unavailable(told, UNUSABLE_RETRY)) from exc


def _headers(request: Request) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in request.headers.items():
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _certificate(request: Request) -> ClientCertificate | None:
    """What the server has verified: https://asgi.readthedocs.io/en/latest/specs/tls.html."""
    tls = request.scope.get("extensions", {}).get("tls", {})
    if not tls.get("client_cert_chain") or tls.get("client_cert_error"):
        return None
    der = ssl.PEM_cert_to_DER_cert(tls["client_cert_chain"][0])
    return ClientCertificate(tls["client_cert_name"], hashlib.sha256(der).hexdigest())


def _trace(traced: Traced, delivery: Delivery) -> None:
    traced.set(
        {
            "webhook.project": delivery.project,
            "webhook.receiver": delivery.receiver,
            "webhook.delivery": delivery.id,
            "webhook.state": delivery.state,
            "webhook.reason": delivery.reason,
        }
    )
    traced.link(delivery.executions)


def _log(delivery: Delivery) -> None:
    log.info(
        "delivery %s of receiver %s: %s%s",
        delivery.id,
        delivery.receiver,
        delivery.state,
        f" ({delivery.reason})" if delivery.reason else "",
        extra={
            "project": delivery.project,
            "receiver": delivery.receiver,
            "delivery": delivery.id,
            "executions": delivery.executions,
            "state": delivery.state,
            "reason": delivery.reason,
        },
    )
