"""API tokens in SQL: only their SHA-256, bound to a project and a role."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from webhook_service.errors import NotFound
from webhook_service.model.ids import fingerprint, is_token
from webhook_service.model.tokens import Role, Token
from webhook_service.store.database import Database
from webhook_service.store.tables import tokens


class TokenStore:
    """Reads and writes API tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, token: Token, secret: str) -> None:
        """Store a new token."""
        values = {
            "id": token.id,
            "fingerprint": fingerprint(secret),
            "project": token.project,
            "role": token.role,
            "created": token.created,
        }
        self._database.write(lambda connection: connection.execute(insert(tokens).values(values)))

    def find(self, secret: str) -> Token | None:
        """The live token with this secret."""
        if not is_token(secret):
            return None
        query = select(tokens).where(
            tokens.c.fingerprint == fingerprint(secret), tokens.c.revoked.is_(None)
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _token(row)

    def list(self, project: str | None = None) -> tuple[Token, ...]:
        """All tokens, newest first; of one project if it is given."""
        query = select(tokens).order_by(tokens.c.created.desc())
        if project is not None:
            query = query.where(tokens.c.project == project)
        with self._database.read() as connection:
            return tuple(_token(row) for row in connection.execute(query))

    def revoke(self, token_id: str) -> None:
        """End a token now.

        Raises:
            NotFound: no such live token.
        """
        statement = (
            update(tokens)
            .where(tokens.c.id == token_id, tokens.c.revoked.is_(None))
            .values(revoked=datetime.now(UTC))
        )
        if not self._database.write(lambda connection: connection.execute(statement).rowcount):
            raise NotFound(f"There is no live token {token_id[:100]!r}.")


def _token(row: Row[Any]) -> Token:
    return Token(row.id, row.project, Role(row.role), row.created, row.revoked)
