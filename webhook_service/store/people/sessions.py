"""Sessions in SQL: only the SHA-256 of their secrets. A link that logs in is a row, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select

from webhook_service.model.ids import fingerprint
from webhook_service.model.people.sessions import MAX_SESSIONS, ConsoleSession, is_session_secret
from webhook_service.model.people.tokens import Role
from webhook_service.store.database.database import Database
from webhook_service.store.tables import sessions, tokens

SESSION, LINK = "session", "link"


class SessionStore:
    """Opens, finds and ends sessions. What has expired is removed when one is opened."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, secret: str, session: ConsoleSession, now: datetime) -> None:
        """Store a session; of too many of one person the oldest ends."""
        self._database.write(lambda connection: _open(connection, secret, SESSION, session, now))

    def add_link(self, secret: str, session: ConsoleSession, now: datetime) -> None:
        """Store a link, which stands for the session that it will open."""
        self._database.write(lambda connection: _open(connection, secret, LINK, session, now))

    def follow_link(
        self, link: str, secret: str, expires: datetime, now: datetime
    ) -> ConsoleSession | None:
        """Open the session that a link stands for; the link is used up. None if it was no link."""
        if not is_session_secret(link):
            return None
        taken = (
            delete(sessions)
            .where(
                sessions.c.fingerprint == fingerprint(link),
                sessions.c.kind == LINK,
                sessions.c.expires > now,
            )
            .returning(sessions)
        )

        def job(connection: Connection) -> ConsoleSession | None:
            row = connection.execute(taken).one_or_none()
            if row is None:
                return None
            session = replace(_session(row), expires=expires)
            _open(connection, secret, SESSION, session, now)
            return session

        return self._database.write(job)

    def find(self, secret: str, now: datetime) -> ConsoleSession | None:
        """The session with this secret, unless it has ended, or its token has."""
        if not is_session_secret(secret):
            return None
        alive = tokens.c.revoked.is_(None) & or_(tokens.c.expires.is_(None), tokens.c.expires > now)
        query = (
            select(sessions)
            .outerjoin(tokens, tokens.c.id == sessions.c.token)
            .where(
                sessions.c.fingerprint == fingerprint(secret),
                sessions.c.kind == SESSION,
                sessions.c.expires > now,
                or_(sessions.c.token.is_(None), tokens.c.id.is_not(None) & alive),
            )
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _session(row)

    def close(self, secret: str) -> None:
        """End a session now; whoever else has its secret is out, too."""
        statement = delete(sessions).where(sessions.c.fingerprint == fingerprint(secret))
        self._database.write(lambda connection: connection.execute(statement) and None)


def _open(
    connection: Connection, secret: str, kind: str, session: ConsoleSession, now: datetime
) -> None:
    connection.execute(delete(sessions).where(sessions.c.expires <= now))
    connection.execute(
        delete(sessions).where(sessions.c.fingerprint.in_(_too_many(connection, session.actor)))
    )
    connection.execute(
        insert(sessions).values(
            fingerprint=fingerprint(secret),
            kind=kind,
            token=session.token,
            actor=session.actor,
            name=session.name,
            grants=dict(session.grants),
            created=now,
            expires=session.expires,
        )
    )


def _too_many(connection: Connection, actor: str) -> Sequence[str]:
    mine = (
        select(sessions.c.fingerprint)
        .where(sessions.c.actor == actor)
        .order_by(sessions.c.created.desc())
        .offset(MAX_SESSIONS - 1)
    )
    return connection.execute(mine).scalars().all()


def _session(row: Row[Any]) -> ConsoleSession:
    grants = {project: Role(role) for project, role in row.grants.items()}
    return ConsoleSession(row.actor, row.name, grants, row.expires, row.token)
