"""Whatever is sent to the API: no server error, and an answer as the document says.

schemathesis makes requests from the document, right and wrong ones. SQLite takes what PostgreSQL
refuses, so both are asked.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.host.served import Served, get, serving
from tests.support import PROJECT, add_inbox, add_receiver, make_service, push, sqlite_url
from webhook_service.model.people.tokens import Role

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = 12  # of each operation, of each kind
pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]


@dataclass(frozen=True)
class Site:
    """A host with something of each kind, and a token of an owner."""

    served: Served
    schema: Any
    headers: dict[str, str]
    ids: dict[str, str]


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    if request.param == "sqlite":
        url = sqlite_url(tmp_path_factory.mktemp("requests"))
    else:
        url = request.getfixturevalue("postgres").new_migrated_database()
    with serving(make_service(url, run=False)) as served, served.client() as client:
        document = get(client, "/openapi.json")
        schema = schemathesis.openapi.from_dict(document)
        yield Site(served, schema, dict(client.headers), _something_of_each_kind(served))


def _something_of_each_kind(served: Served) -> dict[str, str]:
    receiver, key = add_receiver(served.service)
    delivery = push(served.service, key)
    token, _ = served.service.create_token(PROJECT, Role.READONLY)
    config = {"url": "https://example.com/hook"}
    body = {"name": "ops", "kind": "webhook", "on": ["failed"], "webhookConfig": config}
    return {
        "notifications": served.service.notifications.create(PROJECT, body).id,
        "receivers": receiver,
        "inboxes": add_inbox(served.service),
        "holds": served.service.holds.place(PROJECT, "a freeze").id,
        "deliveries": delivery.id,
        "executions": delivery.executions[0],
        "tokens": token.id,
        "drivers": "stub",
        "formats": "dockerhub",
        "schemes": "none",
    }


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=str)
def test_every_answer_is_one_that_the_document_has(site: Site, mode: GenerationMode) -> None:
    statuses: dict[str, set[int]] = {}
    for found in site.schema.get_all_operations():
        called = found.ok()
        statuses[called.label] = _try(site, called, mode)
    assert len(statuses) > 30
    tried = set().union(*statuses.values())
    assert tried >= ({200, 400} if mode is GenerationMode.POSITIVE else {400}), tried


def _try(site: Site, called: Any, mode: GenerationMode) -> set[int]:
    kind, statuses = called.path.split("/")[2] if called.path.count("/") > 1 else "", set()
    if mode is GenerationMode.NEGATIVE and not (called.body or called.query):
        return statuses

    @seed(15)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @given(case=called.as_strategy(generation_mode=mode), known=st.booleans())
    def each(case: Any, known: bool) -> None:
        if known and "id" in (case.path_parameters or {}):
            case.path_parameters["id"] = site.ids[kind]
        (case.query or {}).pop("projectId", None)
        answer = case.call(base_url=site.served.base, headers=site.headers)
        statuses.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    each()
    return statuses
