"""Logging in and out: an API token, a link or an identity provider's word opens a session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from webhook_service.errors import Unauthenticated
from webhook_service.model.people.sessions import (
    LINK_LIFETIME,
    SESSION_LIFETIME,
    ConsoleSession,
    new_link_secret,
    new_session_secret,
)
from webhook_service.model.people.tokens import Role, Token
from webhook_service.store.store import Store


class Sessions:
    """Opens, finds and ends sessions of people. A secret is given once, and stored hashed.

    Args:
        clock: gives the present time; by default the database's.
    """

    def __init__(self, store: Store, clock: Callable[[], datetime] | None = None) -> None:
        self._store = store
        self._clock = clock or store.now

    def open_by_token(self, token_secret: str) -> str:
        """Log in with an API token; gives the secret of the new session.

        Raises:
            Unauthenticated: no live token has this secret.
        """
        token = self._store.tokens.find(token_secret)
        if token is None:
            raise Unauthenticated(
                "This is no live API token. 'webhook-service token create' makes one, "
                "'webhook-service token list' shows which ones have ended."
            )
        return self._open(self._of_token(token))

    def open_for(self, actor: str, name: str, grants: Mapping[str, Role]) -> str:
        """Log in somebody whom another system has proven; gives the secret of the session."""
        return self._open(ConsoleSession(actor, name, grants, self._clock() + SESSION_LIFETIME))

    def make_link(self, token: Token) -> str:
        """The secret of a link that logs in once as a token, within ten minutes."""
        secret, now = new_link_secret(), self._clock()
        session = self._of_token(token)
        self._store.sessions.add_link(secret, replace(session, expires=now + LINK_LIFETIME), now)
        return secret

    def open_by_link(self, link: str) -> str:
        """Log in by a link, which is used up by that; gives the secret of the new session.

        Raises:
            Unauthenticated: it was used, it has expired, or it never was a link.
        """
        secret, now = new_session_secret(), self._clock()
        found = self._store.sessions.follow_link(link, secret, now + SESSION_LIFETIME, now)
        if found is None:
            raise Unauthenticated(
                "This link was used already, or is older than ten minutes. Log in with an API "
                "token, or make a new link: webhook-service console link."
            )
        return secret

    def find(self, secret: str) -> ConsoleSession | None:
        """The session with this secret; None if it has ended, was closed, or never was one."""
        return self._store.sessions.find(secret, self._clock())

    def close(self, secret: str) -> None:
        """Log out: the session ends, for whoever has its secret."""
        self._store.sessions.close(secret)

    def _of_token(self, token: Token) -> ConsoleSession:
        grants = {token.project: token.role}
        ends = self._clock() + SESSION_LIFETIME
        return ConsoleSession(token.id, token.name or token.id, grants, ends, token.id)

    def _open(self, session: ConsoleSession) -> str:
        secret = new_session_secret()
        self._store.sessions.open(secret, session, self._clock())
        return secret
