"""Every ignored item has its reason, and a broken rule is told apart from one that says no."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import PROJECT, add_receiver, make_service, push, sqlite_url
from webhook_service.errors import InvalidConfig
from webhook_service.formats.cloudevents import CloudEvents
from webhook_service.formats.distribution import Distribution
from webhook_service.formats.format import Dropped, Format, FormatOptions, Parsed
from webhook_service.formats.harbor import Harbor
from webhook_service.host.api.simulation import simulation_json
from webhook_service.host.http.links import Links
from webhook_service.host.wire import delivery_json
from webhook_service.model.delivery import Call
from webhook_service.service import WebhookService
from webhook_service.testing.samples import dockerhub_push

UNSIGNED = {"scheme": "none"}
FAILS = {"when": "int(event.tag) > 1"}


class Wordless(Format):
    def parse(self, body: bytes, headers: object, options: FormatOptions) -> Parsed:
        return Parsed(dropped=(Dropped("a thing", ""),))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebhookService]:
    with make_service(sqlite_url(tmp_path)) as made:
        yield made


def test_a_filter_that_fails_is_told_from_one_that_says_no(service: WebhookService) -> None:
    _, failing = add_receiver(service, name="a", match=FAILS, verify=UNSIGNED)
    _, refusing = add_receiver(service, name="b", match={"when": "false"}, verify=UNSIGNED)
    failed, refused = push(service, failing), push(service, refusing)
    assert (failed.state, failed.reason) == ("ignored", "filter_error")
    assert (refused.state, refused.reason) == ("ignored", "filtered")
    stored = service.get_delivery(PROJECT, failed.id)
    (item,) = delivery_json(stored, Links("http://x", PROJECT))["items"]
    assert item["reason"] == "filter_error"
    assert item["message"].startswith("match.when: a string like this one is no whole number")
    (other,) = service.get_delivery(PROJECT, refused.id).items
    assert other.message is None


def test_a_simulation_says_why_a_filter_fails(service: WebhookService) -> None:
    receiver, _ = add_receiver(service, match=FAILS, verify=UNSIGNED)
    found = service.simulate(PROJECT, receiver, Call(dockerhub_push("acme/shop", "1.2.3")))
    (item,) = simulation_json(found)["ignored"]
    assert (item["reason"], item["message"][:11]) == ("filter_error", "match.when:")


@pytest.mark.parametrize(
    ("format", "body", "headers"),
    [
        ("distribution", {"events": []}, {}),
        (
            "harbor",
            {
                "type": "PUSH_ARTIFACT",
                "occur_at": 1761000000,
                "event_data": {"resources": [], "repository": {"repo_full_name": "acme/shop"}},
            },
            {},
        ),
        ("cloudevents", [], {"content-type": "application/cloudevents-batch+json"}),
    ],
)
def test_a_call_that_names_nothing_is_empty(
    service: WebhookService, format: str, body: Any, headers: dict[str, str]
) -> None:
    for kind in (CloudEvents, Distribution, Harbor):
        service.formats.add(kind.__name__.lower(), kind)
    _, key = add_receiver(service, source={"format": format}, verify=UNSIGNED)
    delivery = service.accept(PROJECT, key, Call(json.dumps(body).encode(), headers))
    assert (delivery.state, delivery.reason) == ("ignored", "empty")


def test_an_item_without_a_reason_gets_one(service: WebhookService) -> None:
    service.formats.add("wordless", Wordless)
    _, key = add_receiver(service, source={"format": "wordless"}, verify=UNSIGNED)
    assert service.accept(PROJECT, key, Call(b"x")).reason == "not_a_push"


def test_a_stored_rule_that_is_refused_now_harms_its_own_receiver_only(
    service: WebhookService, tmp_path: Path
) -> None:
    broken, key = add_receiver(service, name="a", match={"when": "true"}, verify=UNSIGNED)
    _, other = add_receiver(service, name="b", verify=UNSIGNED)
    spec = service.get_receiver(PROJECT, broken).spec
    old = spec.match.model_copy(update={"when": "evnt.tag == '1'"})
    service.store.receivers.update(
        service.get_receiver(PROJECT, broken), spec.model_copy(update={"match": old})
    )
    with pytest.raises(InvalidConfig, match="no variable 'evnt'"):
        push(service, key)
    assert push(service, other).state == "accepted"
    problems = service.receiver_problems(service.list_receivers(PROJECT).items)
    assert problems.keys() == {broken} and "did you mean event?" in problems[broken]
    assert service.suspend_receiver(PROJECT, broken).suspended
    service.update_receiver(PROJECT, broken, {"match": {"when": "true"}, "state": "active"})
    assert push(service, key).state == "accepted"
