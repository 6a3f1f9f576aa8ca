"""URLs of v1.6's first releases (``?token=``), through a real host."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import jwt
import pytest

from tests.host.served import Served, serving
from tests.servers.sns import signing_key
from tests.support import PROJECT, make_service, receiver_body, sqlite_url
from webhook_service.errors import InvalidConfig
from webhook_service.model.ids import new_key
from webhook_service.receiving.v16.token import LegacyTokens
from webhook_service.testing.samples import dockerhub_push

UUID = "a5b1f0de-4c1f-4b2a-9d3e-0123456789ab"
KEY = signing_key("v16")
PUSH = dockerhub_push("acme/shop", "1.2.3")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    legacy = LegacyTokens(KEY.public_key())
    with serving(make_service(sqlite_url(tmp_path), legacy=legacy)) as running:
        yield running


@pytest.fixture
def receiver(served: Served) -> str:
    made = served.service.create_receiver(PROJECT, receiver_body(), v16_key=UUID)
    return made.id


def token_of(project: str = PROJECT, uuid: str = UUID, name: str = "v16") -> str:
    claims = {"driver": "stub", "projectId": project, "uuid": uuid, "config": {}}
    return jwt.encode(claims, signing_key(name), "RS256")


def call(client: httpx.Client, token: str) -> httpx.Response:
    return client.post("/v1-webhooks/endpoint", params={"token": token}, content=PUSH)


def test_an_old_url_works_as_long_as_its_receiver_exists(
    served: Served, stranger: httpx.Client, receiver: str
) -> None:
    answer = call(stranger, token_of())
    assert (answer.status_code, answer.json()["state"]) == (200, "accepted")
    served.service.delete_receiver(PROJECT, receiver)
    assert call(stranger, token_of()).status_code == 403


def test_all_other_tokens_answer_the_same_bytes(
    served: Served, stranger: httpx.Client, receiver: str
) -> None:
    tokens = [
        token_of(name="thief"),
        token_of(project="other"),
        token_of(uuid="b5b1f0de-4c1f-4b2a-9d3e-0123456789ab"),
        token_of(uuid="no uuid"),
        "a.b.c",
        token_of()[:-4] + "AAAA",
    ]
    answers = [call(stranger, token) for token in tokens]
    unknown = stranger.post(
        "/v1-webhooks/endpoint", params={"key": new_key(), "projectId": PROJECT}, content=PUSH
    )
    assert {(answer.status_code, answer.content) for answer in answers} == {(403, unknown.content)}


def test_a_new_key_ends_an_old_url(served: Served, stranger: httpx.Client, receiver: str) -> None:
    from datetime import timedelta

    served.service.rotate_key(PROJECT, receiver, timedelta(0))
    assert call(stranger, token_of()).status_code == 403


def test_without_the_setting_no_token_is_known(tmp_path: Path) -> None:
    service = make_service(sqlite_url(tmp_path))
    service.create_receiver(PROJECT, receiver_body(), v16_key=UUID)
    with serving(service) as running, running.client(None) as client:
        assert call(client, token_of()).status_code == 403


def test_the_api_lets_nobody_choose_a_key(owner: httpx.Client) -> None:
    for field in ("key", "v16Key", "v16_key"):
        answer = owner.post("/v1-webhooks/receivers", json=receiver_body(**{field: UUID}))
        assert answer.status_code == 422


def test_a_key_of_our_own_cannot_be_chosen_either(served: Served) -> None:
    with pytest.raises(InvalidConfig, match="A key of v1.6 has 40"):
        served.service.create_receiver(PROJECT, receiver_body(), v16_key=new_key())
