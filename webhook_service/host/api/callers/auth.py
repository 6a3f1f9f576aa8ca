"""Authentication: who calls the management API.

An embedding application passes an ``Authenticator`` of its own to ``create_app``; the default
knows API tokens. What an identity may do is decided in ``guard``.
"""

from __future__ import annotations

import unicodedata
from base64 import b64decode
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Protocol

from starlette.requests import HTTPConnection

from webhook_service.errors import RoleNotAllowed, Unauthenticated
from webhook_service.host.http.address import Network, Proxies
from webhook_service.model.people.audit import Via
from webhook_service.model.people.tokens import Role
from webhook_service.service import WebhookService

# By the names that Rancher 1.6 has for them, also with ``v1-`` before. The least powerful is first:
# of several that a caller has it counts, as in v1.6.
ROLES = {
    Role.READONLY: {"readonly", "restricted"},
    Role.MEMBER: {"member", "project-member", "user"},
    Role.OWNER: {"owner", "project-owner", "project", "projectadmin", "admin", "superadmin"},
}
MAX_USER = 200


@dataclass(frozen=True, slots=True)
class Identity:
    """A known caller.

    Args:
        project: the only one it may act in; with None the request's ``projectId`` says which.
        actor: who it is, for the history, the audit and votes: one name for each person, of 255
            characters at most.
        via: by which way, for the audit.
        address: where the caller is; by default where the request came from.
    """

    project: str | None
    role: Role
    actor: str
    via: Via = "api"
    address: str | None = None


class Authenticator(Protocol):
    """Tells who sends a request. It is called in a thread, from many threads at once."""

    def __call__(self, request: HTTPConnection, /) -> Identity | None:
        """The caller; None when the request has no credentials of this authenticator's kind.

        Raises:
            Unauthenticated: it has such credentials, and they are not valid.
            RoleNotAllowed: they are valid, and give a role that is not known here.
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
            raise Unauthenticated(
                "The API token is not valid: it is mistyped, revoked or expired. "
                "Ask an owner of the project for another one."
            )
        return Identity(token.project, token.role, token.id)


class ProxyAuthenticator:
    """Believes ``X-API-Roles`` of a proxy that has authenticated the caller, as in Rancher 1.6.

    The proxy must remove that header from what its callers send, and check their ``projectId``.
    Callers whom it does not name (see ``NamedByProxy``) are one person: ``proxy``.

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
        return Identity(None, role, "proxy")

    def _role(self, headers: list[str]) -> Role | None:
        names = {name.strip().lower() for name in ",".join(headers).split(",")} - {""}
        roles = {name.removeprefix("v1-") for name in names}
        if unknown := sorted(roles - set().union(*ROLES.values())):
            raise RoleNotAllowed(
                f"The role {unknown[0][:100]!r} in X-API-Roles is not known here: the proxy must "
                "send owner, member or readonly."
            )
        return next((role for role, known in ROLES.items() if roles & known), None)


class NamedByProxy:
    """Takes the names of callers from a proxy that has authenticated them.

    So all tokens and addresses of one person are one person. The proxy must remove the header from
    what its callers send.

    Args:
        authenticator: says what the callers may do.
        networks: where the proxy is; the header means nothing from elsewhere.
        header: that has the name of the user.
    """

    def __init__(
        self, authenticator: Authenticator, networks: Collection[Network], header: str
    ) -> None:
        self._authenticator = authenticator
        self._proxies = Proxies(networks)
        self._header = header

    def __call__(self, request: HTTPConnection, /) -> Identity | None:
        identity = self._authenticator(request)
        if identity is None or not self._proxies.sent(request):
            return identity
        names = {_same_person(name) for name in request.headers.getlist(self._header)} - {""}
        if len(names) > 1 or any(len(name) > MAX_USER for name in names):
            raise Unauthenticated(
                f"{self._header} must have one user of at most {MAX_USER} characters: the proxy "
                "must replace it, not add to it."
            )
        return replace(identity, actor=f"user:{names.pop()}") if names else identity


def _same_person(name: str) -> str:
    """A user's name as it is compared: many directories take it in any case, as it was typed."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


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
