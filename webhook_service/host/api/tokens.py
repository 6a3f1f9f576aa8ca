"""API tokens over HTTP: who may use the project. Owners alone see and change them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.host.api.callers.access import Action, Guard
from webhook_service.host.api.callers.threads import Threads
from webhook_service.host.api.document.operation import Operation, operation, pages
from webhook_service.host.api.fields import read_fields
from webhook_service.host.http.address import path_of
from webhook_service.host.http.body import BodyLimits, json_body
from webhook_service.host.http.links import PREFIX
from webhook_service.host.http.query import QueryField, page_request
from webhook_service.host.http.routes import by_method
from webhook_service.host.wire import answer, page_json, token_json
from webhook_service.model.people.tokens import Role
from webhook_service.resources import TokenRequest, TokenResource
from webhook_service.service import WebhookService

MISSING = "Token not found"
FILTERS = (
    QueryField("role", "Only those of this role.", Role),
    QueryField("name", "Only those with this name."),
    QueryField("id", "One token."),
    QueryField("idPrefix", "Those whose id begins so."),
)


class ApiTokens:
    """``/v1-webhooks/tokens``."""

    def __init__(
        self, service: WebhookService, guard: Guard, threads: Threads, limits: BodyLimits
    ) -> None:
        self._service = service
        self._guard = guard
        self._call = threads.call
        self._limits = limits

    def routes(self) -> list[Route]:
        """Its routes."""
        return [
            *by_method(f"{PREFIX}/tokens", GET=self.page, POST=self.create),
            *by_method(f"{PREFIX}/tokens/{{id}}", GET=self.one, DELETE=self.revoke),
        ]

    @operation(Operation("listTokens", TokenResource, many=True, query=pages(*FILTERS)))
    async def page(self, request: Request) -> Response:
        """A page of the project's tokens, newest first, revoked ones too."""
        caller = await self._guard.admit(request, Action.MANAGE_TOKENS)
        asked = page_request(caller.query, FILTERS)
        page = await self._call(self._service.page_tokens, caller.project, asked)
        data = [token_json(token, caller.links) for token in page.items]
        return answer(
            caller.links,
            page_json(caller.links, path_of(request), "token", data, page, caller.query),
        )

    @operation(Operation("createToken", TokenResource, body=TokenRequest, needs_body=True))
    async def create(self, request: Request) -> Response:
        """Make a token; this answer alone has its secret."""
        caller = await self._guard.admit(request, Action.MANAGE_TOKENS)
        asked = read_fields(TokenRequest, await json_body(request, self._limits))
        token, secret = await self._call(
            self._service.create_token,
            caller.project,
            asked.role,
            name=asked.name,
            expires=asked.expires,
            by=caller.actor,
        )
        return answer(caller.links, token_json(token, caller.links, secret))

    @operation(Operation("getToken", TokenResource))
    async def one(self, request: Request) -> Response:
        """One token, without its secret."""
        caller = await self._guard.admit(request, Action.MANAGE_TOKENS, MISSING)
        id_ = str(request.path_params["id"])
        found = await self._call(self._service.get_token, caller.project, id_)
        return answer(caller.links, token_json(found, caller.links))

    @operation(Operation("revokeToken", None, answers=(204,)))
    async def revoke(self, request: Request) -> Response:
        """End a token; it stops working at once."""
        caller = await self._guard.admit(request, Action.MANAGE_TOKENS, MISSING)
        id_ = str(request.path_params["id"])
        await self._call(self._service.revoke_token, id_, project=caller.project, by=caller.actor)
        return Response(status_code=204)
