"""Authentication: who calls the management API.

An embedding application passes an ``Authenticator`` of its own to ``create_app``; the default
knows API tokens. What an identity may do is decided in ``guard``.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import HTTPConnection

from webhook_service.errors import Unauthenticated
from webhook_service.host.http.address import Network, Proxies
from webhook_service.model.tokens import Role
from webhook_service.service import WebhookService

RESTRICTED_ROLES = frozenset({"readonly", "restricted", "v1-readonly", "v1-restricted"})


@dataclass(frozen=True, slots=True)
class Identity:
    """A known caller.

    Args:
        project: the only one it may act in; with None the request's ``projectId`` says which.
        actor: a name for the history and the audit; 255 characters at most.
    """

    project: str | None
    role: Role
    actor: str


class Authenticator(Protocol):
    """Tells who sends a request. It is called in a thread, from many threads at once."""

    def __call__(self, request: HTTPConnection, /) -> Identity | None:
        """The caller; None when the request has no credentials of this authenticator's kind.

        Raises:
            Unauthenticated: it has such credentials, and they are not valid.
        """


class TokenAuthenticator:
    """Knows the service's API tokens: ``Authorization: Bearer wht_…``, or Basic.

    With Basic the token is the password or the user; clients of v1.6 know no other way.
    """

    def __init__(self, service: WebhookService) -> None:
        self._service = service

    def __call__(self, request: HTTPConnection, /) -> Identity | None:
        secret = _token(request.headers.get("authorization", ""))
        if secret is None:
            return None
        token = self._service.find_token(secret)
        if token is None:
            raise Unauthenticated("The API token is not valid.")
        return Identity(token.project, token.role, token.id)


class ProxyAuthenticator:
    """Believes ``X-API-Roles`` of a proxy that has authenticated the caller, as in Rancher 1.6.

    The proxy must remove that header from what its callers send, and check their ``projectId``.

    Args:
        networks: where the proxy is; the header means nothing from elsewhere.
    """

    def __init__(self, networks: Collection[Network]) -> None:
        self._proxies = Proxies(networks)

    def __call__(self, request: HTTPConnection, /) -> Identity | None:
        if not self._proxies.sent(request):
            return None
        role = self._role(request.headers.getlist("x-api-roles"))
        if role is None:
            return None
        return Identity(None, role, f"proxy {self._proxies.client(request)}")

    def _role(self, headers: list[str]) -> Role | None:
        roles = {role.strip().lower() for role in ",".join(headers).split(",")} - {""}
        if not roles:
            return None
        return Role.READONLY if roles & RESTRICTED_ROLES else Role.OWNER


class FirstOf:
    """Asks several authenticators in order; the first that knows the caller wins."""

    def __init__(self, *authenticators: Authenticator) -> None:
        self._authenticators = authenticators

    def __call__(self, request: HTTPConnection, /) -> Identity | None:
        known = (ask(request) for ask in self._authenticators)
        return next((identity for identity in known if identity is not None), None)


def _token(authorization: str) -> str | None:
    """The API token in the header, if there is one.

    Basic: https://www.rfc-editor.org/rfc/rfc7617#section-2
    """
    scheme, _, given = authorization.partition(" ")
    given = given.strip()
    if scheme.lower() == "bearer":
        parts = [given]
    elif scheme.lower() == "basic":
        try:
            user, _, password = b64decode(given, validate=True).decode().partition(":")
        except ValueError:
            return None
        parts = [password, user]
    else:
        return None
    return next((part for part in parts if part.startswith("wht_")), None)
