from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.schemes.cases import BODY, CLASSES, CLIENT, PLAIN, SHARED, refusal, scheme_of
from tests.support import PROJECT, add_receiver, make_service, receiver_body, sqlite_url
from webhook_service.errors import InvalidConfig, Unauthenticated
from webhook_service.model.delivery import Call
from webhook_service.model.receiver import HIDDEN, as_json
from webhook_service.schemes import (
    Scheme,
    SecretOptions,
    any_same,
    header_of,
    keys_of,
    require,
)
from webhook_service.schemes.all import AllOptions
from webhook_service.service import WebhookService
from webhook_service.testing.signing import sign

VERIFY = {
    "scheme": "all",
    "address": {"networks": ["198.51.100.0/24"]},
    "github": {"secret": PLAIN[0]},
}
SIGNED = sign("github", PLAIN[0], BODY)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebhookService]:
    with make_service(sqlite_url(tmp_path), run=False) as service:
        for name, target in CLASSES.items():
            service.schemes.add(name, target)
        yield service


def _accepts(service: WebhookService, key: str) -> bool:
    try:
        service.accept(PROJECT, key, Call(BODY, SIGNED, {}, CLIENT))
    except Unauthenticated:
        return False
    return True


@pytest.mark.parametrize(
    ("headers", "client", "passes"),
    [
        (SIGNED, CLIENT, True),
        (SIGNED, "203.0.113.9", False),
        ({}, CLIENT, False),
        ({}, "203.0.113.9", False),
    ],
)
def test_every_part_has_to_pass(headers: dict[str, str], client: str, passes: bool) -> None:
    options = AllOptions.model_validate({k: v for k, v in VERIFY.items() if k != "scheme"})
    call = Call(BODY, headers, {}, client)
    assert (refusal(scheme_of("all", options), call, options) is None) == passes


def test_the_parts_that_have_secrets_are_hidden_and_stay_in_an_update(
    service: WebhookService,
) -> None:
    id_, key = add_receiver(service, verify=VERIFY)
    shown = as_json(service.get_receiver(PROJECT, id_).spec)["verify"]
    assert shown == {**VERIFY, "github": HIDDEN}
    assert PLAIN[0] not in repr(service.get_receiver(PROJECT, id_))
    service.update_receiver(PROJECT, id_, {"verify": shown})
    assert _accepts(service, key)


def test_a_part_names_the_message() -> None:
    options = AllOptions.model_validate(
        {"address": VERIFY["address"], "standardWebhooks": {"secret": SHARED[0]}}
    )
    call = Call(BODY, sign("standardWebhooks", SHARED[0], BODY), {}, CLIENT)
    assert refusal(scheme_of("all", options), call, options) is None
    assert scheme_of("all", options).message_id(call, options) == "msg_1"


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({}, "verify: name the parts"),
        ({"none": {}}, "verify.none: cannot be a part"),
        ({"all": {"github": {"secret": "hunter2"}}}, "verify.all: cannot be a part"),
        ({"pigeon": {}}, "There is no scheme 'pigeon'"),
        ({"github": {"secret": "hunter2", "x": "hunter2"}}, "verify.github.x: Extra inputs"),
        ({"github": {"secret": HIDDEN}}, "verify.github.secret.0: ******** is what answers show"),
        ({"github": "hunter2"}, "verify.github: Input should be a valid dictionary"),
        ({"standardWebhooks": {"secret": "hunter2"}}, "verify.standardWebhooks.secret: must start"),
        ({"github": None}, "verify: name the parts"),
    ],
)
def test_a_part_that_cannot_work_is_refused_and_not_repeated(
    service: WebhookService, parts: dict[str, Any], problem: str
) -> None:
    body = receiver_body(verify={"scheme": "all", **parts})
    with pytest.raises(InvalidConfig) as error:
        service.create_receiver(PROJECT, body)
    assert problem in error.value.message
    assert "hunter2" not in error.value.message


def test_unbound_it_lets_no_call_pass() -> None:
    with pytest.raises(Unauthenticated):
        scheme_of("all").check(Call(BODY, SIGNED, {}, CLIENT), AllOptions())


class Passphrase(Scheme[SecretOptions]):
    """A scheme that an application adds by itself."""

    Options = SecretOptions

    def check(self, call: Call, options: SecretOptions) -> None:
        require(any_same([header_of(call, "x-passphrase")], keys_of(options.secret)))


def test_a_scheme_that_an_application_added_can_be_a_part(service: WebhookService) -> None:
    service.schemes.add("passphrase", Passphrase())
    verify = {"scheme": "all", "passphrase": {"secret": PLAIN[0]}}
    id_, key = add_receiver(service, verify=verify)
    shown = as_json(service.get_receiver(PROJECT, id_).spec)["verify"]
    assert shown == {"scheme": "all", "passphrase": HIDDEN}
    with pytest.raises(Unauthenticated):
        service.accept(PROJECT, key, Call(BODY, SIGNED, {}, CLIENT))
    call = Call(BODY, {"x-passphrase": PLAIN[0]}, {}, CLIENT)
    assert service.accept(PROJECT, key, call).state == "accepted"
