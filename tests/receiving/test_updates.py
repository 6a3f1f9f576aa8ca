"""Updates of receivers: what they say changes, the rest stays, and nobody overwrites another."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import (
    PROJECT,
    add_receiver,
    make_service,
    push,
    sqlite_url,
    stub_of,
    wait_for,
    wait_for_end,
)
from webhook_service.driver import Done, Wait
from webhook_service.errors import ChangedMeanwhile, InvalidConfig, OutdatedVersion, Retry
from webhook_service.model.execution import ExecutionState
from webhook_service.model.receiver import as_json
from webhook_service.schemes.github import GitHub
from webhook_service.schemes.hmac import GenericHmac
from webhook_service.service import WebhookService
from webhook_service.testing.stub import StubConfig, StubDriver

TAGS = {"policy": "semver", "value": "^1", "preReleases": True, "exclude": ["*-debug"]}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebhookService]:
    with make_service(sqlite_url(tmp_path)) as service:
        service.schemes.add("github", GitHub)
        service.schemes.add("hmac", GenericHmac)
        yield service


def updated(service: WebhookService, receiver: str, **body: Any) -> Any:
    return as_json(service.update_receiver(PROJECT, receiver, body).spec)


def test_parts_merge_field_by_field(service: WebhookService) -> None:
    match = {"repositories": ["acme/shop"], "tags": TAGS, "digests": "any"}
    receiver, _ = add_receiver(service, match=match, verify={"scheme": "none"})
    found = updated(service, receiver, match={"tags": {"value": "^2"}})["match"]
    assert found["repositories"] == ["acme/shop"]
    assert {**TAGS, "value": "^2"}.items() <= found["tags"].items()


def test_another_policy_keeps_the_globs_beside_it_alone(service: WebhookService) -> None:
    receiver, _ = add_receiver(service, match={"tags": TAGS}, verify={"scheme": "none"})
    rule = {"policy": "glob", "value": "rel-*"}
    found = updated(service, receiver, match={"tags": rule})["match"]["tags"]
    assert (found["value"], found["exclude"]) == ("rel-*", ["*-debug"])
    assert found["preReleases"] is False


def test_another_scheme_keeps_nothing_of_the_old_one(service: WebhookService) -> None:
    verify = {"scheme": "github", "secret": "a secret of twenty-four letters"}
    receiver, _ = add_receiver(service, verify=verify)
    other = {"scheme": "hmac", "header": "x-sum", "secret": "another one of twenty-four letters"}
    found = updated(service, receiver, verify=other)["verify"]
    assert (found["scheme"], found["header"]) == ("hmac", "x-sum")


def test_a_secret_alone_can_be_changed(service: WebhookService) -> None:
    verify = {"scheme": "github", "secret": "a secret of twenty-four letters"}
    receiver, _ = add_receiver(service, verify=verify)
    new = "another one of twenty-four letters"
    assert updated(service, receiver, verify={"secret": new})["verify"]["scheme"] == "github"
    assert service.get_receiver(PROJECT, receiver).spec.verify.options["secret"] == new


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("approval", {"count": 1, "withinSeconds": 600}),
        ("registry", {"resolve": True}),
        ("match", {"repositories": ["docker.io/acme/shop"], "digests": "required"}),
        ("source", {"format": "dockerhub", "registry": "docker.io"}),
    ],
)
def test_null_removes_a_part(service: WebhookService, part: str, value: Any) -> None:
    named = {"match": {"repositories": ["docker.io/acme/shop"]}}
    plain, _ = add_receiver(service, name="plain", verify={"scheme": "none"})
    body = {**named, part: value, "verify": {"scheme": "none"}}
    receiver, _ = add_receiver(service, **body)
    if part != "match":
        updated(service, receiver, match=None, **{part: None})
    found = updated(service, receiver, **{part: None})
    assert found[part] == as_json(service.get_receiver(PROJECT, plain).spec)[part]


@pytest.mark.parametrize("field", ["digests", "tags", "repositories"])
def test_null_removes_a_field(service: WebhookService, field: str) -> None:
    match = {"repositories": ["acme/shop"], "tags": TAGS, "digests": "required"}
    receiver, _ = add_receiver(service, match=match, verify={"scheme": "none"})
    plain, _ = add_receiver(service, name="plain")
    found = updated(service, receiver, match={field: None})["match"]
    assert found[field] == as_json(service.get_receiver(PROJECT, plain).spec)["match"][field]


def test_what_was_read_can_be_sent_back(service: WebhookService) -> None:
    match = {"repositories": ["acme/shop"], "tags": TAGS}
    receiver, _ = add_receiver(service, match=match, verify={"scheme": "none"})
    shown = dict(as_json(service.get_receiver(PROJECT, receiver).spec))
    assert updated(service, receiver, **shown) == shown


@pytest.mark.parametrize("verify", [{}, {"scheme": None}, {"scheme": ""}])
def test_a_new_receiver_must_say_its_scheme(service: WebhookService, verify: Any) -> None:
    with pytest.raises(InvalidConfig, match="^verify: say how calls are proven"):
        add_receiver(service, match={"repositories": ["acme/shop"]}, verify=verify)


def test_an_empty_verify_switches_nothing_off(service: WebhookService) -> None:
    verify = {"scheme": "github", "secret": "a secret of twenty-four letters"}
    receiver, _ = add_receiver(service, verify=verify)
    for nothing in ({}, {"scheme": None}):
        with pytest.raises(InvalidConfig):
            updated(service, receiver, verify=nothing)
    updated(service, receiver, verify=None)
    assert service.get_receiver(PROJECT, receiver).spec.verify.scheme == "github"


class SlowDriver(StubDriver):
    """Asks a live system for as long as the test wants."""

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.asked, self.answer = threading.Event(), threading.Event()
        self.answer.set()

    def validate(self, config: StubConfig, context: Any) -> None:
        self.asked.set()
        assert self.answer.wait(20)


@pytest.mark.parametrize("other", ["suspend", "update"])
def test_a_change_during_a_slow_update_holds(service: WebhookService, other: str) -> None:
    driver = SlowDriver()
    service.drivers.add("stub", driver)
    receiver, _ = add_receiver(service)
    driver.asked.clear()
    driver.answer.clear()
    failed: list[BaseException] = []

    def update() -> None:
        try:
            service.update_receiver(PROJECT, receiver, {"stubConfig": {"target": "new"}})
        except ChangedMeanwhile as exc:
            failed.append(exc)

    slow = threading.Thread(target=update)
    slow.start()
    assert driver.asked.wait(10)
    if other == "suspend":
        service.suspend_receiver(PROJECT, receiver)
    else:
        old = service.store.receivers.get(PROJECT, receiver)
        service.store.receivers.update(old, old.spec.model_copy(update={"name": "renamed"}))
    driver.answer.set()
    slow.join(20)
    found = service.get_receiver(PROJECT, receiver)
    assert len(failed) == 1
    assert found.suspended if other == "suspend" else found.name == "renamed"
    assert found.spec.config == {}


def test_a_change_for_an_older_version_is_refused(service: WebhookService) -> None:
    receiver, _ = add_receiver(service)
    service.suspend_receiver(PROJECT, receiver)
    with pytest.raises(OutdatedVersion, match="is at version 2"):
        service.update_receiver(PROJECT, receiver, {"name": "new"}, version=1)
    assert service.update_receiver(PROJECT, receiver, {"name": "new"}, version=2).version == 3


def _state(service: WebhookService, execution: str) -> tuple[str, str | None]:
    found = service.get_execution(PROJECT, execution)
    return found.state, found.reason


def test_a_suspended_receiver_begins_nothing_until_it_is_resumed(service: WebhookService) -> None:
    receiver, key = add_receiver(service)
    stub = stub_of(service)
    stub.steps = [Wait(0.3, {}), Done()]
    first = push(service, key, "1").executions[0]
    wait_for(lambda: _state(service, first)[0] == "waiting")
    second = push(service, key, "2").executions[0]
    service.suspend_receiver(PROJECT, receiver)
    # The rollout that was under way goes on to its end.
    assert wait_for_end(service, first).state is ExecutionState.SUCCEEDED
    wait_for(lambda: _state(service, second) == ("held", "suspended"))
    assert push(service, key, "3").reason == "suspended"
    service.resume_receiver(PROJECT, receiver)
    assert wait_for_end(service, second).state is ExecutionState.SUCCEEDED
    assert [call.event.tag for call in stub.calls] == ["1", "1", "2"]


def test_an_update_that_ends_the_suspension_lets_run_what_it_held(service: WebhookService) -> None:
    receiver, key = add_receiver(service)
    stub_of(service).steps = [Retry("busy")]
    execution = push(service, key, "1").executions[0]
    service.update_receiver(PROJECT, receiver, {"state": "suspended"})
    wait_for(lambda: _state(service, execution) == ("held", "suspended"))
    service.update_receiver(PROJECT, receiver, {"name": "still suspended"})
    assert _state(service, execution) == ("held", "suspended")
    service.update_receiver(PROJECT, receiver, {"state": "active"})
    assert wait_for_end(service, execution).state is ExecutionState.SUCCEEDED


def test_a_retry_of_a_suspended_receiver_waits_for_its_resumption(service: WebhookService) -> None:
    receiver, key = add_receiver(service)
    stub_of(service).steps = [Retry("busy")]
    execution = push(service, key, "1").executions[0]
    wait_for(lambda: _state(service, execution)[0] == "retrying")
    service.suspend_receiver(PROJECT, receiver)
    wait_for(lambda: _state(service, execution) == ("held", "suspended"))
    service.resume_receiver(PROJECT, receiver)
    assert wait_for_end(service, execution).state is ExecutionState.SUCCEEDED


def test_a_replay_of_a_suspended_receiver_is_held_and_a_rollback_runs(
    service: WebhookService,
) -> None:
    receiver, key = add_receiver(service)
    for tag in ("1", "2"):
        wait_for_end(service, push(service, key, tag).executions[0])
    service.suspend_receiver(PROJECT, receiver)
    undone = service.interventions.roll_back(PROJECT, receiver)
    assert wait_for_end(service, undone.id).state is ExecutionState.SUCCEEDED
    ended = service.list_executions(PROJECT).items[-1]
    replay = service.interventions.replay(PROJECT, ended.id)
    wait_for(lambda: _state(service, replay.id) == ("held", "suspended"))


def test_what_a_suspended_receiver_holds_keeps_no_other_from_the_slot(
    service: WebhookService,
) -> None:
    suspended, key = add_receiver(service, name="one", stubConfig={"target": "shared"})
    _, other = add_receiver(service, name="two", stubConfig={"target": "shared"})
    stub = stub_of(service)
    stub.steps = [Wait(0.3, {}), Done()]
    first = push(service, other, "1").executions[0]
    wait_for(lambda: _state(service, first)[0] == "waiting")
    newest = push(service, key, "9").executions[0]
    service.suspend_receiver(PROJECT, suspended)
    wait_for(lambda: _state(service, newest) == ("held", "suspended"))
    later = push(service, other, "2").executions[0]
    assert wait_for_end(service, later).state is ExecutionState.SUCCEEDED
