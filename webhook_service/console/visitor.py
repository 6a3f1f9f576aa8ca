"""Visitors: who looks at a page, in which project, and what their role lets them do."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from webhook_service.errors import NotFound, RoleNotAllowed, WebhookServiceError
from webhook_service.host.api.callers.access import Action, may
from webhook_service.model.people.audit import Actor
from webhook_service.model.people.sessions import ConsoleSession
from webhook_service.model.people.tokens import Role


class NotLoggedIn(WebhookServiceError):
    """Nobody is logged in, or no longer."""

    status = 401
    code = "not_logged_in"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is logged in, and looks at one project.

    Attributes:
        base: what every link of the console begins with.
        address: where the request came from, for the audit.
    """

    session: ConsoleSession
    project: str
    role: Role
    base: str
    address: str

    @property
    def actor(self) -> Actor:
        return Actor(self.session.actor, "console", self.address)

    @property
    def projects(self) -> tuple[str, ...]:
        return tuple(sorted(self.session.grants))

    def may(self, action: str) -> bool:
        """Whether the role allows an action, by its name in the API."""
        return may(self.role, Action(action))

    def require(self, action: Action) -> None:
        """Make sure that the role allows an action.

        Raises:
            RoleNotAllowed: it does not.
        """
        if not may(self.role, action):
            raise RoleNotAllowed(
                f"Your role here is {self.role}, which may not {action}. Ask an owner of the "
                "project for a token with another role."
            )

    def url(self, path: str, **query: str) -> str:
        """A link to a page in this project; a project goes without saying if it is the only one."""
        fields = {name: value for name, value in query.items() if value}
        if len(self.session.grants) > 1:
            fields["projectId"] = self.project
        return self.base + path + (f"?{urlencode(fields)}" if fields else "")


def visitor_of(session: ConsoleSession, project: str | None, base: str, address: str) -> Visitor:
    """The visitor of a project, or of the first one if none is named.

    Raises:
        NotFound: a project that is not theirs, whether or not it exists.
    """
    wanted = project if project is not None else min(session.grants, default=None)
    if wanted is None or wanted not in session.grants:
        raise NotFound("There is no such page.")
    return Visitor(session, wanted, session.grants[wanted], base, address)
