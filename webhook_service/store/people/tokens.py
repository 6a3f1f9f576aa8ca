"""API tokens in SQL: only their SHA-256, bound to a project and a role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, or_, select, update

from webhook_service.errors import InvalidRequest, NotFound, StoreUnavailable
from webhook_service.model.as_json import time_to_json
from webhook_service.model.ids import fingerprint, is_token
from webhook_service.model.pages import Page, PageRequest
from webhook_service.model.people.audit import (
    APPLICATION,
    Actor,
    AuditAction,
    AuditEntry,
    FieldChange,
)
from webhook_service.model.people.tokens import LAST_USE, Role, Token
from webhook_service.store.database.database import Database
from webhook_service.store.filters import Begins, Filter, Indexed
from webhook_service.store.history.audit import write_audited
from webhook_service.store.pages import fetch
from webhook_service.store.secrets.sealing import Sealer
from webhook_service.store.tables import tokens

_FILTERS: Mapping[str, Filter] = {
    "role": lambda text: tokens.c.role == text,
    "name": lambda text: tokens.c.name == text,
    "id": Indexed(tokens.c.id, names_project=True),
    "idPrefix": Begins(tokens.c.id),
}


class TokenStore:
    """Reads and writes API tokens.

    Args:
        sealer: seals the markers of pages.
        most: live tokens that a project may have; 0 is no limit.
    """

    def __init__(self, database: Database, sealer: Sealer, most: int = 0) -> None:
        self._database = database
        self._sealer = sealer
        self._most = most

    def add(self, token: Token, secret: str, by: Actor = APPLICATION) -> None:
        """Store a new token.

        Raises:
            InvalidRequest: the project has too many.
        """
        values = {
            "id": token.id,
            "fingerprint": fingerprint(secret),
            "project": token.project,
            "role": token.role,
            "name": token.name,
            "created": token.created,
            "expires": token.expires,
        }

        def job(connection: Connection) -> tuple[None, Sequence[AuditEntry]]:
            self._require_room(connection, token.project)
            connection.execute(insert(tokens).values(values))
            changes = (FieldChange("role", None, token.role.value),)
            action = AuditAction.TOKEN_CREATED
            return None, [AuditEntry(by, action, token.project, token.id, changes=changes)]

        write_audited(self._database, job)

    def _require_room(self, connection: Connection, project: str) -> None:
        live = select(func.count()).where(tokens.c.project == project, *_live(self._database.now()))
        if self._most and connection.execute(live).scalar_one() >= self._most:
            raise InvalidRequest(
                f"The project has {self._most} live tokens, which is as many as it may have "
                "(WEBHOOK_SERVICE_MAX_TOKENS). Revoke one that is not used: webhook-service token "
                "list shows them."
            )

    def find(self, secret: str) -> Token | None:
        """The live token with this secret; its use is noted."""
        if not is_token(secret):
            return None
        now = self._database.now()
        query = select(tokens).where(tokens.c.fingerprint == fingerprint(secret), *_live(now))
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        if row.used is None or row.used <= now - LAST_USE:
            # Nobody waits for it, and a database that takes no writes now refuses no reader.
            with suppress(StoreUnavailable):
                self._database.submit(_note_uses, (row.id, now))
        return _token(row)

    def list(self, project: str | None = None) -> tuple[Token, ...]:
        """All tokens, newest first; of one project if it is given."""
        query = select(tokens).order_by(tokens.c.created.desc())
        if project is not None:
            query = query.where(tokens.c.project == project)
        with self._database.read() as connection:
            return tuple(_token(row) for row in connection.execute(query))

    def get(self, project: str, token_id: str) -> Token:
        """One token.

        Raises:
            NotFound: no such token in the project.
        """
        query = select(tokens).where(tokens.c.id == token_id, tokens.c.project == project)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFound("Token not found")
        return _token(row)

    def page(self, project: str, page: PageRequest) -> Page[Token]:
        """The project's tokens, newest first; their ids sort by time."""
        with self._database.browse() as connection:
            return fetch(connection, self._sealer, project, tokens.c.id, page, _FILTERS, _token)

    def revoke(self, token_id: str, by: Actor = APPLICATION, project: str | None = None) -> None:
        """End a token now.

        Args:
            project: whose it must be; any project's if left out.

        Raises:
            NotFound: no such live token.
        """
        now = self._database.now()
        of_project = () if project is None else (tokens.c.project == project,)
        statement = (
            update(tokens)
            .where(tokens.c.id == token_id, tokens.c.revoked.is_(None), *of_project)
            .values(revoked=now)
            .returning(tokens.c.project)
        )

        def job(connection: Connection) -> tuple[None, Sequence[AuditEntry]]:
            project = connection.execute(statement).scalar_one_or_none()
            if project is None:
                raise NotFound("There is no live token with this id.")
            changes = (FieldChange("revoked", None, time_to_json(now)),)
            action = AuditAction.TOKEN_REVOKED
            return None, [AuditEntry(by, action, project, token_id, changes=changes)]

        write_audited(self._database, job)


def _token(row: Row[Any]) -> Token:
    return Token(
        row.id,
        row.project,
        Role(row.role),
        row.created,
        row.revoked,
        row.name,
        row.expires,
        row.used,
    )


def _note_uses(connection: Connection, uses: Sequence[tuple[str, datetime]]) -> list[None]:
    for token, used in dict(uses).items():
        connection.execute(update(tokens).where(tokens.c.id == token).values(used=used))
    return [None] * len(uses)


def _live(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """That a token is neither revoked nor at its end."""
    return (
        tokens.c.revoked.is_(None),
        or_(tokens.c.expires.is_(None), tokens.c.expires > now),
    )
