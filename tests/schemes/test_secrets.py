from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.support import PROJECT, add_receiver, make_service, push, receiver_body, sqlite_url
from webhook_service.errors import InvalidConfig, Unauthenticated
from webhook_service.model.delivery import Call
from webhook_service.model.receiver import HIDDEN, as_json
from webhook_service.schemes.scheme import Scheme, SchemeOptions, Secrets
from webhook_service.service import WebhookService


class SharedOptions(SchemeOptions):
    header: str = "x-secret"
    secret: Secrets


class SharedSecret(Scheme[SharedOptions]):
    Options = SharedOptions

    def check(self, call: Call, options: SharedOptions) -> None:
        sent = call.headers.get(options.header)
        if sent not in [secret.get_secret_value() for secret in options.secret]:
            raise Unauthenticated("The call is not signed.")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebhookService]:
    with make_service(sqlite_url(tmp_path), run=False) as service:
        service.schemes.add("shared", SharedSecret)
        yield service


def verify_of(service: WebhookService, receiver: str) -> Any:
    return as_json(service.get_receiver(PROJECT, receiver).spec)["verify"]


def accepts(service: WebhookService, key: str, secret: str) -> bool:
    try:
        service.accept(PROJECT, key, Call(b"[]", {"x-secret": secret}))
    except Unauthenticated:
        return False
    except Exception:
        return True
    return True


def test_a_secret_is_never_shown_and_sealed_at_rest(service: WebhookService) -> None:
    verify = {"scheme": "shared", "secret": "hunter2"}
    receiver, key = add_receiver(service, verify=verify)
    assert verify_of(service, receiver) == {"scheme": "shared", "secret": HIDDEN}
    assert "hunter2" not in repr(service.get_receiver(PROJECT, receiver))
    with service.store.database.read() as connection:
        rows = connection.execute(text("SELECT * FROM receivers")).all()
    assert "hunter2" not in str(rows)
    assert accepts(service, key, "hunter2")
    assert not accepts(service, key, "other")


def test_two_secrets_live_at_once_and_the_old_one_can_be_ended(service: WebhookService) -> None:
    receiver, key = add_receiver(service, verify={"scheme": "shared", "secret": ["new", "old"]})
    assert accepts(service, key, "new") and accepts(service, key, "old")
    body = {"verify": {"scheme": "shared", "secret": ["new"]}}
    service.update_receiver(PROJECT, receiver, body)
    assert accepts(service, key, "new") and not accepts(service, key, "old")


@pytest.mark.parametrize(
    "body", [{"name": "renamed"}, {"verify": {"scheme": "shared", "secret": HIDDEN}}]
)
def test_an_update_keeps_a_secret_that_it_does_not_know(
    service: WebhookService, body: dict[str, Any]
) -> None:
    receiver, key = add_receiver(service, verify={"scheme": "shared", "secret": "hunter2"})
    service.update_receiver(PROJECT, receiver, body)
    assert accepts(service, key, "hunter2")


@pytest.mark.parametrize(
    ("verify", "problem"),
    [
        ({"scheme": "shared"}, "verify.secret: Field required"),
        ({"scheme": "shared", "secret": HIDDEN}, "stands for a stored secret"),
        ({"scheme": "shared", "secret": ["a", "b", "c"]}, "at most 2 items"),
        ({"scheme": "shared", "secret": ""}, "verify.secret.0"),
        ({"scheme": "shared", "secret": "hunter2", "x": 1}, "verify.x"),
        ({"scheme": "none", "secrets": {"a": "b"}}, "verify.a"),
        ({"scheme": "none", "sealed": "x"}, "verify.sealed"),
    ],
)
def test_what_cannot_be_a_secret_is_refused_and_not_repeated(
    service: WebhookService, verify: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidConfig) as error:
        service.create_receiver(PROJECT, receiver_body(verify=verify))
    assert problem in error.value.message
    assert "hunter2" not in error.value.message


def test_a_receiver_without_verification_needs_no_secret(service: WebhookService) -> None:
    _, key = add_receiver(service)
    assert push(service, key).state == "accepted"
