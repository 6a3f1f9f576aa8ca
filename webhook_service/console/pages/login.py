"""Logging in and out."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from webhook_service.console import cookies
from webhook_service.console.identity_provider import BegunLogin, IdentityProvider
from webhook_service.console.security import require_same_origin
from webhook_service.console.site import Site
from webhook_service.errors import (
    RoleNotAllowed,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)

ENDED = (
    "Your session has ended, so nothing was done. To keep what you typed, log in in another tab, "
    "and then load this page again: the browser sends the form once more. If you log in here, you "
    "begin anew."
)


class LoginPage:
    """``/login`` and ``/logout``; with an identity provider ``/login/oidc``, too."""

    def __init__(self, site: Site, provider: IdentityProvider | None = None) -> None:
        self._site = site
        self._provider = provider

    def routes(self) -> list[Route]:
        """Its routes."""
        provided = [
            Route("/login/oidc", self.begin, methods=["GET"]),
            Route("/login/oidc/back", self.come_back, methods=["GET"]),
        ]
        return [
            *(provided if self._provider else []),
            Route("/login", self.show, methods=["GET"]),
            Route("/login", self.by_token, methods=["POST"]),
            Route("/login/link", self.by_link, methods=["GET"]),
            Route("/logout", self.leave, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The form for an API token."""
        return await self._form(request, request.query_params.get("next", ""))

    async def ended(self, request: Request) -> Response:
        """The answer to a form of somebody whose session has ended; it stays where they are."""
        origin, base = self._site.origin(request), self._site.base(request)
        _, here, wanted = request.headers.get("referer", "").partition(origin + base)
        return await self._form(request, wanted if here else "", ENDED, 401)

    async def by_token(self, request: Request) -> Response:
        """Log in with an API token. A session that the browser had before is closed."""
        require_same_origin(request, self._site.origin(request))
        form = await self._site.form(request)
        wanted = form.get("next", "")
        open_session = self._site.service.sessions.open_by_token
        try:
            secret = await self._site.prove(request, form.get("token", ""), open_session)
        except (Unauthenticated, TooManyRequests) as exc:
            return await self._form(request, wanted, exc.message, exc.status)
        answer = RedirectResponse(self._site.base(request) + safe_path(wanted), 303)
        return await self._let_in(request, answer, secret)

    async def by_link(self, request: Request) -> Response:
        """Log in by a link, which works once.

        The answer is a page that goes on by itself: a browser that came here from elsewhere would
        not send a SameSite=Strict cookie to where it is redirected.
        """
        open_session = self._site.service.sessions.open_by_link
        try:
            secret = await self._site.prove(
                request, request.query_params.get("link", ""), open_session
            )
        except (Unauthenticated, TooManyRequests) as exc:
            return await self._form(request, "", exc.message, exc.status)
        return await self._welcome(request, secret, "/")

    async def begin(self, request: Request) -> Response:
        """Send the browser to the identity provider."""
        wanted = safe_path(request.query_params.get("next", ""))
        attempt = BegunLogin.new(wanted)
        try:
            where = await self._site.call(self._known().where_to, attempt, self._back(request))
        except Unavailable as exc:
            return await self._form(request, wanted, exc.message, exc.status)
        answer = RedirectResponse(where, 303)
        cookies.begin(answer, attempt.as_cookie(), self._site.is_secure(request))
        return answer

    async def come_back(self, request: Request) -> Response:
        """Log in whom the identity provider has sent back with a proof."""
        secure = self._site.is_secure(request)
        attempt = BegunLogin.from_cookie(cookies.attempt_in(request, secure))
        given = dict(request.query_params)
        try:
            back, provider = self._back(request), self._known()
            person = await self._site.prove(
                request,
                given.get("code", ""),
                lambda _: provider.person(attempt, given, back),
            )
        except (Unauthenticated, RoleNotAllowed, TooManyRequests, Unavailable) as exc:
            status = 403 if isinstance(exc, RoleNotAllowed) else exc.status
            answer = await self._form(request, "", exc.message, status)
        else:
            sessions = self._site.service.sessions
            secret = await self._site.call(
                sessions.open_for, person.actor, person.name, person.grants
            )
            wanted = safe_path(attempt.wanted if attempt else "")
            answer = await self._welcome(request, secret, wanted)
        cookies.end(answer, secure)
        return answer

    async def leave(self, request: Request) -> Response:
        """Log out: the session ends in the database, not in the browser alone."""
        require_same_origin(request, self._site.origin(request))
        await self._close_old(request)
        answer = RedirectResponse(f"{self._site.base(request)}/login", 303)
        cookies.take_back(answer, self._site.is_secure(request))
        return answer

    def _known(self) -> IdentityProvider:
        assert self._provider is not None
        return self._provider

    def _back(self, request: Request) -> str:
        """Where the provider sends the browser; it has to know this URL."""
        return f"{self._site.origin(request)}{self._site.base(request)}/login/oidc/back"

    async def _welcome(self, request: Request, secret: str, wanted: str) -> Response:
        answer = await self._site.page(request, None, "welcome.html", wanted=wanted)
        return await self._let_in(request, answer, secret)

    async def _let_in(self, request: Request, answer: Response, secret: str) -> Response:
        await self._close_old(request)
        cookies.give(answer, secret, self._site.is_secure(request))
        return answer

    async def _close_old(self, request: Request) -> None:
        old = cookies.secret_in(request, self._site.is_secure(request))
        if old:
            await self._site.call(self._site.service.sessions.close, old)

    async def _form(
        self, request: Request, wanted: str, problem: str = "", status: int = 200
    ) -> Response:
        name = "" if self._provider is None else self._provider.name
        shown = {"problem": problem, "wanted": wanted, "oidc_name": name}
        return await self._site.page(request, None, "login.html", status, **shown)


def safe_path(wanted: str) -> str:
    """A path of this console to go on to; whatever else was asked for becomes its first page."""
    plain = wanted.startswith("/") and not wanted.startswith("//") and "\\" not in wanted
    return wanted if plain and wanted.isprintable() else "/"
