"""Over HTTP, a caller without a proof and one with a wrong proof get the same bytes."""

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import httpx
import pytest

from tests.host.served import Served, serving
from tests.schemes.cases import BODY, CASES, CLASSES, CLIENT, Case
from tests.support import PROJECT, add_receiver, make_service, sqlite_url

WITH_HEADER = {name: case for name, case in CASES.items() if case.proof}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    service = make_service(sqlite_url(tmp_path_factory.mktemp("answers")))
    for name, target in CLASSES.items():
        service.schemes.add(name, target)
    with serving(service, trusted_proxies=[ip_network("127.0.0.0/8")]) as running:
        yield running


@pytest.fixture
def stranger(served: Served) -> Iterator[httpx.Client]:
    with served.client(None) as client:
        yield client


def _verify(case: Case) -> dict[str, Any]:
    secret = {case.field: list(case.known)} if case.field else {}
    return {"scheme": case.scheme, **case.verify, **secret}


@pytest.mark.parametrize("name", WITH_HEADER)
def test_missing_and_wrong_answer_alike_and_genuine_is_accepted(
    served: Served, stranger: httpx.Client, name: str
) -> None:
    case = CASES[name]
    _, key = add_receiver(served.service, name=name, verify=_verify(case))
    good = {**case.call().headers, "x-forwarded-for": CLIENT}
    missing = {header: value for header, value in good.items() if header != case.proof}
    wrong = {**good, case.proof: "0" * 64}
    answers = [_call(stranger, key, headers) for headers in (missing, wrong, good)]
    assert [answer.status_code for answer in answers] == [401, 401, 200]
    assert answers[0].content == answers[1].content
    assert [*answers[0].headers] == [*answers[1].headers]


def _call(client: httpx.Client, key: str, headers: dict[str, str]) -> httpx.Response:
    query = {"key": key, "projectId": PROJECT}
    return client.post("/v1-webhooks/endpoint", params=query, content=BODY, headers=headers)
