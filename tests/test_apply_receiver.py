"""Receivers that a body declares: made, changed, or left alone, and no field of before is kept."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import PROJECT, make_service, receiver_body, sqlite_url
from webhook_service.errors import InvalidConfig, OutdatedVersion, RoleNotAllowed
from webhook_service.model.people.tokens import Role
from webhook_service.model.receiver import HIDDEN, Receiver
from webhook_service.schemes.github import GitHub
from webhook_service.service import WebhookService

UNSIGNED = {"scheme": "none"}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebhookService]:
    with make_service(sqlite_url(tmp_path), run=False) as service:
        yield service


def test_it_is_made_once_and_then_left_alone(service: WebhookService) -> None:
    body = receiver_body(match={"repositories": ["acme/shop"]}, verify=UNSIGNED)
    made = service.apply_receiver(PROJECT, body)
    again = service.apply_receiver(PROJECT, body)
    assert (made.result, again.result, again.after) == ("created", "unchanged", made.after)
    assert (made.after.version, again.changes) == (1, ())
    assert len(service.list_audit(PROJECT).items) == 1


def test_what_the_body_does_not_say_is_as_in_a_new_receiver_but_for_the_state(
    service: WebhookService,
) -> None:
    rules = {"repositories": ["acme/shop"], "when": "event.tag != 'x'"}
    made = service.create_receiver(PROJECT, receiver_body(match=rules, verify=UNSIGNED))
    service.suspend_receiver(PROJECT, made.id)
    plain = receiver_body(match={"repositories": ["acme/web"]}, verify=UNSIGNED)
    found = service.apply_receiver(PROJECT, plain).after
    assert (found.id, found.spec.match.when, found.suspended) == (made.id, None, True)
    assert found.spec.match.repositories == ("acme/web",)
    assert not service.apply_receiver(PROJECT, {**plain, "state": "active"}).after.suspended


def made_meanwhile(
    service: WebhookService, monkeypatch: pytest.MonkeyPatch, body: dict[str, Any]
) -> Receiver:
    """A receiver that is not there when it is looked for, and is when it is to be made."""
    there = service.create_receiver(PROJECT, body)
    find, answers = service.find_receiver, iter([None])
    monkeypatch.setattr(service, "find_receiver", lambda *a: next(answers, there) and find(*a))
    return there


def test_one_that_somebody_makes_meanwhile_is_taken_over(
    service: WebhookService, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = receiver_body(verify=UNSIGNED)
    there = made_meanwhile(service, monkeypatch, body)
    assert service.apply_receiver(PROJECT, body).after.id == there.id


def test_one_that_cannot_work_is_refused_and_the_old_one_stays(service: WebhookService) -> None:
    made = service.apply_receiver(PROJECT, receiver_body(verify=UNSIGNED)).after
    with pytest.raises(InvalidConfig, match="policy"):
        tags = {"tags": {"policy": "nothing"}}
        service.apply_receiver(PROJECT, receiver_body(verify=UNSIGNED, match=tags))
    with pytest.raises(InvalidConfig, match="driver"):
        service.apply_receiver(PROJECT, {"name": "other", "driver": "nothing"})
    assert service.get_receiver(PROJECT, made.id) == made
    assert service.find_receiver(PROJECT, "other") is None


def test_a_dry_run_says_all_and_stores_nothing(service: WebhookService) -> None:
    body = receiver_body(verify=UNSIGNED, labels={"team": "shop"})
    would = service.apply_receiver(PROJECT, body, dry_run=True)
    assert (would.result, would.before) == ("created", None)
    assert service.find_receiver(PROJECT, "shop") is None
    made = service.apply_receiver(PROJECT, body).after
    other = service.apply_receiver(PROJECT, {**body, "labels": {"team": "web"}}, dry_run=True)
    assert other.result == "changed"
    assert [(each.field, each.after) for each in other.changes] == [("labels.team", "web")]
    assert service.get_receiver(PROJECT, made.id) == made
    with pytest.raises(InvalidConfig, match="told to refuse"):
        bad = receiver_body("new", verify=UNSIGNED, stubConfig={"valid": False})
        service.apply_receiver(PROJECT, bad, dry_run=True)


def test_it_is_made_for_one_version_alone(service: WebhookService) -> None:
    body, other = (receiver_body(verify=UNSIGNED, labels={"a": value}) for value in "xy")
    with pytest.raises(OutdatedVersion, match="version 0"):
        service.apply_receiver(PROJECT, body, version=1)
    made = service.apply_receiver(PROJECT, body, version=0).after
    with pytest.raises(OutdatedVersion, match="is there already"):
        service.apply_receiver(PROJECT, other, version=0)
    with pytest.raises(OutdatedVersion):
        service.apply_receiver(PROJECT, other, version=2)
    assert service.apply_receiver(PROJECT, other, version=made.version).after.version == 2


def test_a_version_that_is_to_be_new_is_not_taken_over(
    service: WebhookService, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = receiver_body(verify=UNSIGNED)
    made_meanwhile(service, monkeypatch, body)
    with pytest.raises(OutdatedVersion, match="is there already"):
        service.apply_receiver(PROJECT, body, version=0)


def test_a_hidden_secret_stays_and_one_that_is_left_out_goes(service: WebhookService) -> None:
    service.schemes.add("github", GitHub())
    signed = {"scheme": "github", "secret": "s-github"}
    service.apply_receiver(PROJECT, receiver_body(verify=signed))
    hidden = receiver_body(verify={**signed, "secret": HIDDEN})
    assert service.apply_receiver(PROJECT, hidden).result == "unchanged"
    found = service.apply_receiver(PROJECT, receiver_body(verify=UNSIGNED)).after
    assert found.spec.verify.secrets == {}
    with pytest.raises(InvalidConfig, match="stands for a stored secret"):
        service.apply_receiver(PROJECT, hidden)


def test_a_receiver_that_will_be_there_counts_in_a_dry_run_alone(service: WebhookService) -> None:
    after = {"after": {"receiver": "stage"}}
    body = receiver_body(verify=UNSIGNED, match=after)
    would = service.apply_receiver(PROJECT, body, dry_run=True, alongside={"stage"})
    assert would.result == "created"
    itself = receiver_body("stage", verify=UNSIGNED, match=after)
    for wrong, names in ((body, {"other"}), (itself, {"stage"})):
        with pytest.raises(InvalidConfig, match="no other receiver named 'stage'"):
            service.apply_receiver(PROJECT, wrong, dry_run=True, alongside=names)


def test_an_approval_stands_in_a_dry_run_too(service: WebhookService) -> None:
    service.apply_receiver(PROJECT, receiver_body(verify=UNSIGNED, approval={"count": 1}))
    plain = receiver_body(verify=UNSIGNED)
    with pytest.raises(RoleNotAllowed):
        service.apply_receiver(PROJECT, plain, dry_run=True, role=Role.MEMBER)
    assert service.apply_receiver(PROJECT, plain, dry_run=True).result == "changed"
