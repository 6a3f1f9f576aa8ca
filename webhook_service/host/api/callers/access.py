"""The guard: every management request passes it, or is refused.

Checks come in v1.6's order: the caller, the project, the role; then the route looks at the body.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from starlette.requests import Request

from webhook_service.errors import InvalidRequest, NotFound, RoleNotAllowed, Unauthenticated
from webhook_service.host.api.callers.auth import Authenticator, Identity
from webhook_service.host.api.callers.threads import Threads, current_project
from webhook_service.host.http.address import Addresses
from webhook_service.host.http.links import Links
from webhook_service.host.http.query import read_query
from webhook_service.host.limits.rates import Guesses
from webhook_service.model.ids import fingerprint
from webhook_service.model.people.audit import Actor
from webhook_service.model.people.tokens import Role


class Action(StrEnum):
    """What a request does to a receiver, or to what came of its calls."""

    READ = "read"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    ROTATE = "rotate"
    SIMULATE = "simulate"
    PUSH = "push"
    REPLAY = "replay"
    CANCEL = "cancel"
    ABORT = "abort"
    APPROVE = "approve"
    REFUSE = "refuse"
    RELEASE = "release"
    ROLLBACK = "rollback"
    HOLD = "hold"
    MANAGE_TOKENS = "manage tokens"


# What opens doors: keys and tokens are for owners alone.
_OWNERS_ONLY = {Action.ROTATE, Action.MANAGE_TOKENS}
_ALLOWED = {
    Role.OWNER: {*Action},
    Role.MEMBER: {*Action} - _OWNERS_ONLY,
    Role.READONLY: {Action.READ},
}


def may(role: Role, action: Action) -> bool:
    """Whether a role is allowed an action, over HTTP as at the console."""
    return action in _ALLOWED[role]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who was let in: for which project, with what role, the query sent, and links to answer."""

    project: str
    role: Role
    actor: Actor
    query: Mapping[str, str]
    links: Links

    @property
    def sees_urls(self) -> bool:
        return self.role is not Role.READONLY


class Guard:
    """Lets requests pass that are allowed.

    Args:
        authenticator: tells who calls.
        threads: where it is asked.
        addresses: where the links of answers lead to.
        guesses: counts callers who are not known.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        threads: Threads,
        addresses: Addresses,
        guesses: Guesses,
    ) -> None:
        self._guesses = guesses
        self._authenticator = authenticator
        self._threads = threads
        self._addresses = addresses

    async def identify(self, request: Request) -> Identity:
        """The caller.

        Raises:
            Unauthenticated: nobody who is known.
            TooManyRequests: likewise, and the address has guessed too often.
        """
        client = self._addresses.proxies.client(request)
        sent = fingerprint(request.headers.get("authorization", ""))
        if self._guesses.suspects(client, sent):
            identity = await self._guesses.look_up(self._ask, request)
        else:
            try:
                identity = await self._threads.call(self._ask, request)
            except Unauthenticated:
                self._guesses.wrong(client, sent)
                raise
        self._guesses.right(sent)
        return identity

    def _ask(self, request: Request) -> Identity:
        identity = self._authenticator(request)
        if identity is None:
            raise Unauthenticated(
                "An API token is needed: send 'Bearer wht_…' in the header Authorization."
            )
        return identity

    async def admit(
        self, request: Request, action: Action = Action.READ, missing: str = "Project not found"
    ) -> Caller:
        """The caller, for a request that is about a project.

        Args:
            missing: what an unknown id is answered with; a foreign project answers the same.

        Raises:
            Unauthenticated: nobody who is known.
            InvalidRequest: no project is named, or the query or the Host header is refused.
            NotFound: a project that is not the caller's.
            RoleNotAllowed: the caller may only look.
        """
        query = read_query(request)
        identity = await self.identify(request)
        project = query.get("projectId") or identity.project
        if not project:
            raise no_project()
        if identity.project not in (None, project):
            raise NotFound(missing)
        if not may(identity.role, action):
            raise RoleNotAllowed(_refusal(action))
        links = self._addresses.links(request, project)
        current_project.set(project)
        address = identity.address or self._addresses.proxies.client(request)
        actor = Actor(identity.actor, identity.via, address)
        return Caller(project, identity.role, actor, query, links)


def _refusal(action: Action) -> str:
    """Why a role may not do something; of receivers in v1.6's words."""
    if action is Action.MANAGE_TOKENS:
        return "Only owners of the project see, make and revoke its API tokens."
    return f"user doesn't have the access to {action} webhook"


def no_project() -> InvalidRequest:
    """The refusal of a request that names no project, in v1.6's words."""
    return InvalidRequest("projectId must be supplied as query parameter")
