"""The site: what every page needs. It lets visitors in, calls the service, and renders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from webhook_service.console import cookies
from webhook_service.console.security import require_same_origin
from webhook_service.console.visitor import NotLoggedIn, Visitor, visitor_of
from webhook_service.errors import InvalidRequest, Unauthenticated
from webhook_service.host.api.callers.access import Action
from webhook_service.host.api.callers.threads import Threads, current_project
from webhook_service.host.http.address import Addresses
from webhook_service.host.http.body import BodyLimits, read_body
from webhook_service.host.limits.rates import Guesses
from webhook_service.model.ids import fingerprint
from webhook_service.service import WebhookService

if TYPE_CHECKING:
    from webhook_service.console.rendering import Templates

P = ParamSpec("P")
T = TypeVar("T")

FORM_BYTES = 256 * 1024
MAX_FIELDS = 200


class Site:
    """What pages share.

    Args:
        service: what they are about.
        addresses: under which address browsers and senders reach this service.
        guesses: counts visitors who are not known.
        hosted_at: the path of the console's mount within ``addresses``.
    """

    def __init__(
        self,
        service: WebhookService,
        addresses: Addresses,
        guesses: Guesses,
        templates: Templates,
        hosted_at: str,
    ) -> None:
        self.service = service
        self._addresses = addresses
        self._guesses = guesses
        self._templates = templates
        self._hosted_at = hosted_at
        self._threads = Threads(service.bounded)
        self._limits = BodyLimits(FORM_BYTES)

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the service in a thread."""
        return await self._threads.call(function, *args, **kwargs)

    async def enter(self, request: Request, action: Action = Action.READ) -> Visitor:
        """Whoever is logged in, if their role allows the action.

        Raises:
            NotLoggedIn: nobody is.
            NotFound: the project is not theirs.
            RoleNotAllowed: their role does not allow it.
            ForeignRequest: another site sent this form.
        """
        if request.method == "POST":
            require_same_origin(request, self.origin(request))
        secret = cookies.secret_in(request, self.is_secure(request))
        session = await self.call(self.service.sessions.find, secret) if secret else None
        if session is None:
            raise NotLoggedIn("Log in first.")
        project = request.query_params.get("projectId")
        visitor = visitor_of(session, project, self.base(request), self.address(request))
        visitor.require(action)
        current_project.set(visitor.project)
        return visitor

    async def is_in(self, request: Request) -> bool:
        """Whether the session of a request has not ended since."""
        secret = cookies.secret_in(request, self.is_secure(request))
        return bool(secret) and await self.call(self.service.sessions.find, secret) is not None

    async def prove(self, request: Request, given: str, find: Callable[[str], T]) -> T:
        """What ``find`` gives for something secret that a stranger typed.

        Raises:
            Unauthenticated: it is nothing that is known.
            TooManyRequests: likewise, and the address has guessed too often.
        """
        client, mark = self.address(request), fingerprint(given)
        if self._guesses.suspects(client, mark):
            return await self._guesses.look_up(find, given)
        try:
            return await self.call(find, given)
        except Unauthenticated:
            self._guesses.wrong(client, mark)
            raise

    async def form(self, request: Request) -> Mapping[str, str]:
        """The fields of a form; of several with one name the last.

        Raises:
            InvalidRequest: it is no form, or too large.
        """
        body = await read_body(request, self._limits)
        try:
            pairs = parse_qsl(
                body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict"
            )
        except ValueError:
            raise InvalidRequest("This form cannot be read: load the page again.") from None
        return {name: value.replace("\r\n", "\n").strip() for name, value in pairs}

    async def people(self, visitor: Visitor) -> Mapping[str, str]:
        """What people read in place of the ids of tokens; of others' for those who manage them."""
        found = {visitor.session.actor: visitor.session.name}
        if visitor.may(Action.MANAGE_TOKENS):
            tokens = await self.call(self.service.list_tokens, visitor.project)
            found |= {token.id: token.name for token in tokens if token.name}
        return found

    def base(self, request: Request) -> str:
        """The path at which the console is mounted, as the browser knows it."""
        base_url = self._addresses.base_url
        if base_url is None:
            return str(request.scope.get("root_path", ""))
        return urlsplit(base_url).path + self._hosted_at

    def origin(self, request: Request) -> str:
        """The origin of this console in the browser."""
        parts = urlsplit(self._addresses.reached(request))
        return f"{parts.scheme}://{parts.netloc}"

    def is_secure(self, request: Request) -> bool:
        """Whether the browser came by TLS."""
        return self.origin(request).startswith("https:")

    def address(self, request: Request) -> str:
        """Where the request came from, behind the trusted proxies."""
        return self._addresses.proxies.client(request)

    def endpoint(self, request: Request, project: str, key: str) -> str:
        """The URL of a receiver, as senders call it."""
        return f"{self.api(request)}/endpoint?{urlencode({'key': key, 'projectId': project})}"

    def api(self, request: Request) -> str:
        """What URLs of the API begin with."""
        root = self._addresses.links(request).base.removesuffix(self._hosted_at)
        return f"{root}/v1-webhooks"

    async def page(
        self,
        request: Request,
        visitor: Visitor | None,
        template: str,
        status: int = 200,
        **shown: Any,
    ) -> Response:
        """A page. With a visitor it has the navigation, and says what just happened."""
        common: dict[str, Any] = {"visitor": visitor, "base": self.base(request)}
        if visitor is not None and "commands" in shown:
            shown["commands"] = [each for each in shown["commands"] if visitor.may(each.needs)]
        if visitor is not None:
            waiting = self.service.overview.count_undecided
            common |= {
                "url": visitor.url,
                "may": visitor.may,
                "undecided": await self.call(waiting, visitor.project),
                "said": request.query_params.get("said", ""),
            }
        return HTMLResponse(self._templates.render(template, **common, **shown), status)

    def fragment(self, template: str, block: str, **shown: Any) -> str:
        """A part of a page, for the live feed."""
        return self._templates.part(template, block, **shown)

    def go(self, visitor: Visitor, path: str, said: str = "", anchor: str = "") -> Response:
        """The answer to a form: look at this page, which says what was done."""
        place = f"#{anchor}" if anchor else ""
        return RedirectResponse(visitor.url(path, said=said) + place, 303)
