"""``/vote?link=…``: looking shows what is asked, and only the page's own buttons vote.

Mail scanners and chats follow links before people do: for GET and HEAD nothing happens.
"""

from __future__ import annotations

import logging
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from webhook_service.errors import (
    InvalidRequest,
    Unauthenticated,
    Unavailable,
    UnknownLink,
    WebhookServiceError,
)
from webhook_service.host.api.callers.threads import Threads, current_project
from webhook_service.host.http.address import Addresses
from webhook_service.host.http.body import BodyLimits, read_body
from webhook_service.host.http.query import read_query
from webhook_service.host.http.routes import by_method
from webhook_service.host.limits.rates import CallRates
from webhook_service.host.vote.html import POLICY, ballot_html, problem_html
from webhook_service.model.ids import fingerprint
from webhook_service.model.people.ballot import Ballot
from webhook_service.service import WebhookService

FORM_BYTES = 1024
INTERNAL = "Something went wrong here; the service's log has the details. Nobody has voted."
HEADERS = {
    "content-security-policy": POLICY,
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_SAYS = {"approve": True, "refuse": False}

log = logging.getLogger(__name__)


class VotePage:
    """The page of a link to vote; the link is the only credential."""

    def __init__(
        self, service: WebhookService, addresses: Addresses, threads: Threads, rates: CallRates
    ) -> None:
        self._voting = service.voting
        self._proxies = addresses.proxies
        self._call = threads.call
        self._rates = rates
        self._limits = BodyLimits(FORM_BYTES)

    def routes(self) -> list[Route]:
        """Its routes."""
        return by_method("/vote", GET=self.show, POST=self.cast)

    async def show(self, request: Request) -> Response:
        """What is asked, and the two buttons; or why this link cannot be used."""
        try:
            _, ballot = await self._ballot(request)
        except WebhookServiceError as exc:
            return _problem(exc)
        return _page(ballot_html(ballot), 410 if ballot.expired else 200)

    async def cast(self, request: Request) -> Response:
        """Vote as the button says, and look at what came of it."""
        try:
            link, _ = await self._ballot(request)
            approved = _said(await read_body(request, self._limits))
            address = self._proxies.client(request)
            ballot = await self._call(self._voting.vote, link, approved=approved, address=address)
        except WebhookServiceError as exc:
            return _problem(exc)
        if ballot.cast is None or ballot.cast.approved is not approved:
            return _page(ballot_html(ballot), 409)
        # Looked at with GET, so that loading the page again votes no second time.
        return RedirectResponse(f"?{urlencode({'link': link})}", 303, HEADERS)

    async def _ballot(self, request: Request) -> tuple[str, Ballot]:
        """The link of a request, and what it asks about.

        Raises:
            UnknownLink: it does not count.
            TooManyRequests: it was looked at too often, or its address has guessed too often.
        """
        link = read_query(request).get("link", "")
        client, mark = self._proxies.client(request), fingerprint(link)
        rates, look = self._rates, self._voting.look
        rates.admit(client, mark)
        if rates.guesses.suspects(client, mark):
            found = await rates.guesses.look_up(look, link)
        else:
            try:
                found = await self._call(look, link)
            except Unauthenticated:
                rates.guesses.wrong(client, mark)
                raise
        rates.accepted(client, mark)
        current_project.set(found.execution.project)
        return link, found


def _said(body: bytes) -> bool:
    """Whether the form of a page approves.

    Raises:
        InvalidRequest: no button of the page has sent it.
    """
    said = dict(parse_qsl(body.decode("ascii", "replace"))).get("vote", "")
    if said not in _SAYS:
        raise InvalidRequest("Nobody has voted: open the link, and use one of its two buttons.")
    return _SAYS[said]


def _problem(exc: WebhookServiceError) -> Response:
    if exc.status == 500:
        log.error("/vote failed", exc_info=exc)
        return _page(problem_html(INTERNAL), 500)
    answer = _page(problem_html(exc.message), 404 if isinstance(exc, UnknownLink) else exc.status)
    if isinstance(exc, Unavailable):
        answer.headers["retry-after"] = str(exc.retry_after)
    return answer


def _page(html: str, status: int) -> Response:
    return HTMLResponse(html, status, HEADERS)
