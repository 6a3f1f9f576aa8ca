"""Sessions on both databases."""

from datetime import UTC, datetime, timedelta

import pytest

from webhook_service.model.ids import new_token
from webhook_service.model.people.sessions import (
    MAX_SESSIONS,
    ConsoleSession,
    new_link_secret,
    new_session_secret,
)
from webhook_service.model.people.tokens import Role, Token
from webhook_service.store.store import Store

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=12)


def session(actor: str = "user:ada", token: str | None = None) -> ConsoleSession:
    return ConsoleSession(actor, "Ada", {"shop": Role.MEMBER, "cart": Role.OWNER}, LATER, token)


def test_a_session_is_found_until_it_ends(store: Store) -> None:
    secret = new_session_secret()
    store.sessions.open(secret, session(), NOW)
    assert store.sessions.find(secret, LATER - timedelta(seconds=1)) == session()
    assert store.sessions.find(secret, LATER) is None
    assert store.sessions.find(new_session_secret(), NOW) is None
    store.sessions.close(secret)
    assert store.sessions.find(secret, NOW) is None


@pytest.mark.parametrize("ends", ["revoked", "expired", "unknown"])
def test_a_session_ends_with_its_token(store: Store, ends: str) -> None:
    token = Token("tok_1", "shop", Role.OWNER, NOW, expires=NOW + timedelta(hours=1))
    if ends != "unknown":
        store.tokens.add(token, new_token())
    secret = new_session_secret()
    store.sessions.open(secret, session(token="tok_1"), NOW)
    assert (store.sessions.find(secret, NOW) is None) is (ends == "unknown")
    if ends == "revoked":
        store.tokens.revoke("tok_1")
    assert store.sessions.find(secret, NOW + timedelta(hours=2)) is None


def test_of_two_who_follow_a_link_one_gets_in(store: Store) -> None:
    link, first, second = new_link_secret(), new_session_secret(), new_session_secret()
    store.sessions.add_link(link, session(), NOW)
    assert store.sessions.find(link, NOW) is None
    assert store.sessions.follow_link(link, first, LATER, NOW) == session()
    assert store.sessions.follow_link(link, second, LATER, NOW) is None
    assert store.sessions.find(first, NOW) and not store.sessions.find(second, NOW)


def test_of_one_person_the_newest_sessions_stay_and_what_is_over_goes(store: Store) -> None:
    secrets = [new_session_secret() for _ in range(MAX_SESSIONS + 1)]
    for step, secret in enumerate(secrets):
        store.sessions.open(secret, session(), NOW + timedelta(seconds=step))
    found = [store.sessions.find(secret, NOW) is not None for secret in secrets]
    assert found == [False] + [True] * MAX_SESSIONS
    store.sessions.open(new_session_secret(), session("user:bob"), LATER)
    assert not any(store.sessions.find(secret, NOW) for secret in secrets)
