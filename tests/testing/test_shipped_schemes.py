"""The conformance kit on every scheme that the service ships."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.schemes.cases import CASES, CLIENT, PLAIN, Case, scheme_of
from tests.schemes.outside import NOW, Clock, loopback_fetcher
from tests.servers.oidc import Issuer
from tests.servers.sns import TOPIC, SnsHost, notification
from tests.servers.sns import signed as signed_by_sns
from tests.testing.shipped import shipped
from webhook_service.model.delivery import Call
from webhook_service.plugins.discovery import SCHEMES
from webhook_service.schemes import Scheme
from webhook_service.schemes.oidc import Oidc
from webhook_service.schemes.sns import Sns
from webhook_service.testing import sign
from webhook_service.testing.kit import SchemeCase, SchemeConformance

FAR_AWAY = "203.0.113.9"


def case_of(name: str) -> SchemeCase:
    case = CASES[name]
    options = case.options()

    def scheme() -> Scheme[Any]:
        return scheme_of(case.scheme, options)

    def same(header: str, value: str) -> bool:
        return header != case.proof or alike(name, value, signed(case, b"").headers[case.proof])

    return SchemeCase(
        scheme=scheme,
        options=values_of(case),
        other_options=values_of(case, case.known[1]) if case.field else None,
        sign=lambda body: signed(case, body),
        covers_body=case.covers,
        same=same,
        forged=strangers if case.scheme == "address" else lambda call: (),
        public_key=name.endswith("v1a"),
    )


def strangers(call: Call) -> list[Call]:
    """The call from elsewhere; and with what only a trusted proxy may say of it."""
    headers = {"x-forwarded-for": CLIENT, "forwarded": f"for={CLIENT}"}
    return [replace(call, client=each, headers=headers) for each in (FAR_AWAY, "", "::1")]


def signed(case: Case, body: bytes) -> Call:
    if case.scheme == "all":
        return Call(body, sign("github", PLAIN[0], body), {}, CLIENT, through_proxy=True)
    return case.call(body=body)


def values_of(case: Case, secret: str = "") -> dict[str, Any]:
    values = dict(case.verify)
    if case.field:
        values[case.field] = secret or case.known[0]
    return values


def alike(name: str, value: str, genuine: str) -> bool:
    """Whether a value means what the genuine one does: the word Basic in any case, for example."""
    if name == "basic":
        return value.lower().startswith("basic ") and value[6:] == genuine[6:]
    return False


@pytest.mark.parametrize("name", CASES)
class TestShippedSchemes(SchemeConformance):
    @pytest.fixture
    def case(self, name: str) -> SchemeCase:
        return case_of(name)


class TestNone(SchemeConformance):
    @pytest.fixture
    def case(self) -> SchemeCase:
        return SchemeCase(
            scheme=lambda: scheme_of("none"), options={}, sign=Call, covers_body=False
        )


class TestOidc(SchemeConformance):
    @pytest.fixture
    def case(self) -> Iterator[SchemeCase]:
        clock = Clock()
        with Issuer() as issuer, loopback_fetcher() as fetch:
            token = issuer.token(issuer.claims(NOW))
            other = {"issuer": issuer.url, "audience": "others", "subject": "ci"}
            yield SchemeCase(
                scheme=lambda: Oidc(fetch, clock.now, clock.ticks),
                options={**other, "audience": "webhooks"},
                other_options=other,
                sign=lambda body: Call(body, {"authorization": f"Bearer {token}"}),
                covers_body=False,
                same=lambda header, value: means(value) == means(f"Bearer {token}"),
                public_key=True,
            )


def means(value: str) -> tuple[str, list[bytes]]:
    """What is read of a Bearer token: base64 has letters whose last bits say nothing."""
    word, _, token = value.partition(" ")
    try:
        parts = [
            base64.b64decode(part + "=" * (-len(part) % 4), b"-_", validate=True)
            for part in token.split(".")
        ]
    except ValueError:
        parts = [value.encode("utf-8", "surrogatepass")]
    return word.lower(), parts


class TestSns(SchemeConformance):
    @pytest.fixture
    def case(self) -> Iterator[SchemeCase]:
        clock = Clock()
        with SnsHost() as host, loopback_fetcher() as fetch:
            yield SchemeCase(
                scheme=lambda: Sns(lambda url: fetch(host.local(url)), clock.now, clock.ticks),
                options={"topicArn": TOPIC},
                other_options={"topicArn": f"{TOPIC}-of-others"},
                sign=lambda body: Call(
                    signed_by_sns(notification(base64.b64encode(body).decode()))
                ),
                covers_body=False,  # the message alone, with the fields that name it
                forged=altered,
                public_key=True,
            )


def altered(call: Call) -> list[Call]:
    """What a stranger could write into a message, or send in its place."""
    message = json.loads(call.body)
    changes: list[dict[str, Any]] = [
        {"Message": "another"},
        {"MessageId": "another"},
        {"Signature": message["Signature"][::-1]},
        {"Signature": ""},
        {"SigningCertURL": "https://sns.eu-west-1.example.com/cert.pem"},
        {"TopicArn": f"{TOPIC}-of-others"},
    ]
    bodies = [json.dumps(message | change).encode() for change in changes]
    for name in message.keys() - {"UnsubscribeURL", "SignatureVersion"}:
        rest = {other: message[other] for other in message if other != name}
        bodies.append(json.dumps(rest).encode())
    bodies += [b"", b"[]", b"{}", b"null", call.body[1:]]
    return [replace(call, body=body) for body in bodies]


def test_every_scheme_is_held_to_its_contract() -> None:
    assert {case.scheme for case in CASES.values()} | {"none", "oidc", "sns"} == shipped(SCHEMES)
