from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from tests.store.builders import limited_store
from webhook_service.errors import InvalidRequest, NotFound
from webhook_service.model.ids import new_token
from webhook_service.model.people.tokens import LAST_USE, Role, Token
from webhook_service.store.store import Store
from webhook_service.store.tables import tokens


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


def test_an_expired_token_is_as_unknown_as_any_other(store: Store) -> None:
    now = datetime.now(UTC)
    for id_, left in (("tok_old", -1), ("tok_new", 3600)):
        token = Token(id_, "p", Role.OWNER, now, expires=now + timedelta(seconds=left))
        store.tokens.add(token, secret := new_token())
        found = store.tokens.find(secret)
        assert (found is None) == (left < 0)


def last_use(store: Store) -> datetime | None:
    store.database.write(lambda _: None)  # behind what was submitted before
    return store.tokens.list()[0].used


def test_the_last_use_is_written_once_in_some_minutes(store: Store) -> None:
    made = datetime.now(UTC)
    store.tokens.add(Token("tok_1", "p", Role.OWNER, made, name="ci"), secret := new_token())
    assert last_use(store) is None
    store.tokens.find(secret)
    first = last_use(store)
    assert first is not None and first >= made
    before = store.database.written.jobs
    store.tokens.find(secret)
    store.database.write(lambda _: None)
    assert store.database.written.jobs == before + 1
    old = first - LAST_USE
    store.database.write(lambda connection: connection.execute(update(tokens).values(used=old)))
    store.tokens.find(secret)
    again = last_use(store)
    assert again is not None and again >= first


def test_a_database_that_takes_no_writes_refuses_no_token(store: Store) -> None:
    store.tokens.add(Token("tok_1", "p", Role.OWNER, datetime.now(UTC)), secret := new_token())
    store.database._max_queued = 0
    assert store.tokens.find(secret) is not None


def test_a_project_has_so_many_live_tokens(database_url: str) -> None:
    def add(store: Store, number: int, project: str = "a") -> None:
        token = Token(f"tok_{number}", project, Role.OWNER, datetime.now(UTC))
        store.tokens.add(token, new_token())

    with closing(limited_store(database_url, max_tokens=2)) as store:
        add(store, 1)
        add(store, 2)
        with pytest.raises(InvalidRequest, match="has 2 live tokens.*Revoke one"):
            add(store, 3)
        add(store, 4, "other")
        store.tokens.revoke("tok_1")
        add(store, 5)
