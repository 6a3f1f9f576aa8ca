from datetime import UTC, datetime

import pytest

from webhook_service.errors import NotFound
from webhook_service.model.ids import new_token
from webhook_service.model.tokens import Role, Token
from webhook_service.store.store import Store


def test_a_token_is_found_by_its_secret_until_it_is_revoked(store: Store) -> None:
    token, secret = Token("tok_1", "p", Role.MEMBER, datetime.now(UTC)), new_token()
    store.tokens.add(token, secret)
    assert store.tokens.find(secret) == token
    store.tokens.revoke("tok_1")
    assert store.tokens.find(secret) is None
    with pytest.raises(NotFound):
        store.tokens.revoke("tok_1")


def test_what_is_no_token_is_not_looked_up(store: Store) -> None:
    assert store.tokens.find("nonsense") is None
    assert store.tokens.find(new_token()) is None


def test_tokens_are_listed_by_project(store: Store) -> None:
    for project in ("a", "b"):
        token = Token(f"tok_{project}", project, Role.OWNER, datetime.now(UTC))
        store.tokens.add(token, new_token())
    assert [token.id for token in store.tokens.list("a")] == ["tok_a"]
    assert len(store.tokens.list()) == 2
