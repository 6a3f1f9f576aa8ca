"""Schemes that ask other servers, as part of a service."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.host.served import Served, serving
from tests.schemes.outside import LOOPBACK
from tests.servers.oidc import Issuer
from tests.servers.sns import HOST, TOPIC, SnsHost, certificate, confirmation, notification, signed
from tests.support import PROJECT, add_receiver, make_service, sqlite_url
from webhook_service.errors import (
    InvalidConfig,
    InvalidPayload,
    IssuerUnavailable,
    OutboundError,
    Unauthenticated,
)
from webhook_service.model.delivery import Call
from webhook_service.net.fetcher import Fetcher
from webhook_service.net.lazy import Lazy
from webhook_service.net.outbound import Outbound
from webhook_service.schemes.oidc import Oidc
from webhook_service.schemes.sns import Sns
from webhook_service.service import WebhookService
from webhook_service.testing.samples import dockerhub_push

PUSH = dockerhub_push("acme/shop", "1.2.3")


class LocalFetcher(Fetcher):
    """The service's own way out; what is Amazon's host elsewhere is here a local server."""

    def __init__(self, sns: SnsHost) -> None:
        super().__init__(Lazy(lambda: Outbound(allow_private=LOOPBACK)))
        self._sns = sns

    def __call__(self, url: str) -> bytes:
        return super().__call__(self._sns.local(url) if HOST in url else url)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer() as running:
        yield running


@pytest.fixture
def sns() -> Iterator[SnsHost]:
    with SnsHost() as running:
        now = datetime.now(UTC)
        valid = {"start": now.replace(year=now.year - 1), "end": now.replace(year=now.year + 1)}
        running.documents = dict.fromkeys(running.documents, certificate(**valid))
        yield running


@pytest.fixture
def service(tmp_path: Path, sns: SnsHost) -> WebhookService:
    service = make_service(sqlite_url(tmp_path), run=False, fetch=LocalFetcher(sns))
    service.schemes.add("oidc", Oidc)
    service.schemes.add("sns", Sns)
    return service


@pytest.fixture
def served(service: WebhookService) -> Iterator[Served]:
    with serving(service) as running:
        yield running


def oidc_of(issuer: Issuer, **changes: Any) -> dict[str, Any]:
    good = {"scheme": "oidc", "issuer": issuer.url, "audience": "webhooks", "subject": "ci"}
    return good | changes


def signed_call(issuer: Issuer, **changes: Any) -> Call:
    token = issuer.token(issuer.claims(**changes))
    return Call(PUSH, {"authorization": f"Bearer {token}"})


def test_receivers_of_one_issuer_share_one_fetch(service: WebhookService, issuer: Issuer) -> None:
    with service:
        for number in range(30):
            verify = oidc_of(issuer, subject=f"ci-{number}")
            _, key = add_receiver(service, name=f"shop-{number}", verify=verify)
            delivery = service.accept(PROJECT, key, signed_call(issuer, sub=f"ci-{number}"))
            assert delivery.state == "accepted"
            with pytest.raises(Unauthenticated):
                service.accept(PROJECT, key, signed_call(issuer))
    assert issuer.asked("/keys") == 1


def test_a_receiver_without_a_caller_is_not_made(service: WebhookService, issuer: Issuer) -> None:
    verify = {"scheme": "oidc", "issuer": issuer.url, "audience": "webhooks"}
    with service, pytest.raises(InvalidConfig, match="^verify.subject: name the one caller"):
        add_receiver(service, verify=verify)
    assert issuer.requests == []


def test_an_issuer_that_is_down_answers_503_and_when_to_try_again(
    served: Served, issuer: Issuer
) -> None:
    issuer.down = True
    _, key = add_receiver(served.service, verify=oidc_of(issuer))
    with served.client(None) as client:
        query, headers = {"key": key, "projectId": PROJECT}, dict(signed_call(issuer).headers)
        answer = client.post("/v1-webhooks/endpoint", params=query, content=PUSH, headers=headers)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "15")
    assert answer.json()["code"] == "issuer_unavailable"
    assert issuer.url not in answer.text
    assert {each.state for each in served.service.list_deliveries(PROJECT).items} <= {"refused"}


def _raw(served: Served, key: str, headers: list[str]) -> bytes:
    """The first line of the answer to a call with exactly these headers."""
    head = [
        f"POST /v1-webhooks/endpoint?key={key}&projectId={PROJECT} HTTP/1.1",
        "Host: localhost",
        f"Content-Length: {len(PUSH)}",
        "Connection: close",
        *headers,
    ]
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
        connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + PUSH)
        return connection.makefile("rb").readline()


def test_a_second_authorization_header_never_helps(served: Served, issuer: Issuer) -> None:
    _, key = add_receiver(served.service, verify=oidc_of(issuer))
    good = f"Authorization: {signed_call(issuer).headers['authorization']}"
    assert b" 200 " in _raw(served, key, [good])
    for headers in ([good, good], [good, "Authorization: Bearer a.b.c"], ["Authorization:", good]):
        assert b" 401 " in _raw(served, key, headers)


def test_a_subscription_is_confirmed_once_it_is_verified(
    service: WebhookService, sns: SnsHost
) -> None:
    verify = {"scheme": "sns", "topicArn": TOPIC}
    with service:
        _, key = add_receiver(service, verify=verify)
        body = signed(confirmation(sent=datetime.now(UTC)))
        with pytest.raises(Unauthenticated):
            service.accept(PROJECT, key, Call(body.replace(b"chosen", b"failed")))
        assert not any("ConfirmSubscription" in path for path in sns.requests)
        with pytest.raises(InvalidPayload):
            service.accept(PROJECT, key, Call(body))
    assert sum("ConfirmSubscription" in path for path in sns.requests) == 1


def test_a_simulation_confirms_nothing(service: WebhookService, sns: SnsHost) -> None:
    with service:
        id_, _ = add_receiver(service, verify={"scheme": "sns", "topicArn": TOPIC})
        with pytest.raises(InvalidPayload):
            service.simulate(PROJECT, id_, Call(signed(confirmation(sent=datetime.now(UTC)))))
    assert sns.requests == []


def test_a_signed_notification_reaches_the_format(service: WebhookService, sns: SnsHost) -> None:
    with service:
        _, key = add_receiver(service, verify={"scheme": "sns", "topicArn": TOPIC})
        body = signed(notification(sent=datetime.now(UTC)))
        with pytest.raises(InvalidPayload):
            service.accept(PROJECT, key, Call(body))
    assert len(sns.requests) == 1


def test_private_addresses_are_not_called_unless_they_are_allowed(
    tmp_path: Path, issuer: Issuer
) -> None:
    service = make_service(sqlite_url(tmp_path), run=False)
    service.schemes.add("oidc", Oidc)
    with service:
        _, key = add_receiver(service, verify=oidc_of(issuer))
        with pytest.raises(IssuerUnavailable):
            service.accept(PROJECT, key, signed_call(issuer))
    assert issuer.requests == []


def test_only_a_200_is_a_document(issuer: Issuer) -> None:
    outbound = Lazy(lambda: Outbound(allow_private=LOOPBACK))
    fetch = Fetcher(outbound)
    assert fetch(f"{issuer.url}/keys").startswith(b'{"keys"')
    with pytest.raises(OutboundError, match="404"):
        fetch(f"{issuer.url}/nothing")
    outbound.close()
    assert fetch(f"{issuer.url}/keys").startswith(b'{"keys"')
    outbound.close()


def test_the_client_is_made_at_the_first_fetch() -> None:
    made: list[Outbound] = []

    def make() -> Outbound:
        made.append(Outbound(allow_private=LOOPBACK))
        return made[0]

    outbound = Lazy(make)
    fetch = Fetcher(outbound)
    assert made == []
    with pytest.raises(OutboundError):
        fetch("http://127.0.0.1:1/")
    with pytest.raises(OutboundError):
        fetch("http://127.0.0.1:1/")
    assert len(made) == 1
    outbound.close()
