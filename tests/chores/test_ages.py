"""How old an image is, a registry is asked for a push that is held; without an answer it waits."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from tests.conftest import StartRegistry
from tests.servers.images import build
from tests.servers.images import push as push_image
from tests.support import PROJECT, add_receiver, make_service, push, wait_for, wait_for_end
from webhook_service.chores.ages import GIVE_UP, Ages
from webhook_service.chores.breaker import Breaker
from webhook_service.driver import ImageFacts, PushEvent
from webhook_service.errors import DriverError, InvalidConfig, Retry, WebhookServiceError
from webhook_service.model.delivery import Call
from webhook_service.model.execution import Execution
from webhook_service.model.rules.registry import RegistryRule
from webhook_service.registry.registries import Registries
from webhook_service.service import WebhookService
from webhook_service.settings import Settings
from webhook_service.store.tables import executions
from webhook_service.testing import StubDriver
from webhook_service.testing.samples import dockerhub_push

DIGEST = "sha256:" + "a" * 64
CREATED = "org.opencontainers.image.created"
RULES: dict[str, Any] = {
    "match": {"repositories": ["docker.io/acme/shop"], "minimumAge": "72h"},
    "verify": {"scheme": "none"},
}


class Answering(Registries):
    """Registries that answer as the test says: with a time, with nothing, or not at all."""

    def __init__(self) -> None:
        super().__init__(Settings.model_construct())
        self.answer: str | None | WebhookServiceError = None
        self.asked = 0

    def resolve(self, event: PushEvent, rule: RegistryRule) -> PushEvent:
        self.asked += 1
        if isinstance(self.answer, WebhookServiceError):
            raise self.answer
        facts = None if self.answer == "unread" else ImageFacts(created=self.answer)
        return replace(event, digest=DIGEST, facts=facts)


class Clock:
    time = 0.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def service(database_url: str) -> Iterator[WebhookService]:
    with make_service(database_url, {"stub": StubDriver}) as service:
        yield service


@pytest.fixture
def registries() -> Answering:
    return Answering()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def chore(service: WebhookService, registries: Answering, clock: Clock) -> Ages:
    return Ages(service.store, registries, service._wake, Breaker(clock))


def held(service: WebhookService) -> str:
    """A push that waits for its registry's word."""
    _, key = add_receiver(service, **RULES, registry={"resolve": True})
    (execution,) = push(service, key, pushed_at=None).executions
    wait_for(lambda: get(service, execution).state == "held")
    return execution


def get(service: WebhookService, execution: str) -> Execution:
    return service.get_execution(PROJECT, execution)


def one_pass(chore: Ages) -> None:
    cursor = ""
    while not (step := chore.step(cursor)).done:
        cursor = step.cursor


def ago(service: WebhookService, **span: float) -> str:
    return (service.store.now() - timedelta(**span)).isoformat()


def test_an_old_image_is_deployed_by_the_digest_that_was_asked_about(
    service: WebhookService, chore: Ages, registries: Answering
) -> None:
    execution = held(service)
    registries.answer = ago(service, hours=73)
    one_pass(chore)
    done = wait_for_end(service, execution, 10)
    assert (done.state, done.event.digest) == ("succeeded", DIGEST)  # type: ignore[union-attr]


def test_a_young_image_is_asked_about_once_and_says_when_it_goes_on(
    service: WebhookService, chore: Ages, registries: Answering
) -> None:
    execution = held(service)
    registries.answer = ago(service, hours=2)
    one_pass(chore)
    wait_for(lambda: get(service, execution).due is not None)
    wait_for(lambda: "It is to be 72h old" in get(service, execution).message)
    one_pass(chore)
    assert registries.asked == 1
    assert get(service, execution).state == "held"


@pytest.mark.parametrize(
    "answer", [Retry("It is down.", code="registry_unavailable"), "unread"], ids=["down", "unread"]
)
def test_without_an_answer_a_push_waits_and_is_asked_about_again(
    service: WebhookService,
    chore: Ages,
    registries: Answering,
    clock: Clock,
    answer: str | WebhookServiceError,
) -> None:
    execution = held(service)
    registries.answer = answer
    one_pass(chore)
    one_pass(chore)
    assert registries.asked == 1
    found = get(service, execution)
    assert (found.state, found.due) == ("held", None)
    assert "It is not known how old" in found.message
    assert f"execution release {execution}" in found.message
    clock.time += 61
    registries.answer = ago(service, hours=73)
    one_pass(chore)
    assert wait_for_end(service, execution, 10).state == "succeeded"


def test_what_no_registry_tells_for_two_days_fails(
    service: WebhookService, chore: Ages, registries: Answering
) -> None:
    execution = held(service)
    registries.answer = Retry("It is down.", code="registry_unavailable")
    long_ago = service.store.now() - GIVE_UP - timedelta(minutes=1)
    statement = update(executions).values(created=long_ago)
    service.store.database.write(lambda connection: connection.execute(statement))
    one_pass(chore)
    done = get(service, execution)
    assert (done.state, done.reason) == ("failed", "registry_unavailable")
    assert done.message == "Given up after 2 days: It is down."


def test_an_image_that_cannot_be_deployed_fails_at_once(
    service: WebhookService, chore: Ages, registries: Answering
) -> None:
    execution = held(service)
    registries.answer = DriverError("It does not exist.", code="image_missing")
    one_pass(chore)
    done = get(service, execution)
    assert (done.state, done.reason, done.message) == (
        "failed",
        "image_missing",
        "It does not exist.",
    )


def test_without_the_rule_the_push_runs(
    service: WebhookService, chore: Ages, registries: Answering
) -> None:
    execution = held(service)
    receiver = get(service, execution).receiver
    service.update_receiver(PROJECT, receiver, {"match": {"minimumAge": None}})
    one_pass(chore)
    wait_for(lambda: get(service, execution).state != "held")
    assert registries.asked == 0


def test_a_receiver_says_who_is_to_be_asked(service: WebhookService) -> None:
    with pytest.raises(InvalidConfig, match='"registry": {"resolve": true}'):
        add_receiver(service, **RULES)
    wrong = {**RULES, "match": {**RULES["match"], "minimumAge": "three days"}}
    with pytest.raises(InvalidConfig, match="such as 90s, 30m, 72h or 3d"):
        add_receiver(service, **wrong, registry={"resolve": True})


def test_an_image_at_a_registry_is_held_by_what_its_builder_wrote(
    service: WebhookService, start_registry: StartRegistry, tmp_path: Path
) -> None:
    registry = start_registry(None)
    repository = f"{registry.address}/acme/shop"
    settings = Settings.model_construct(
        allow_private=(ip_network("127.0.0.0/8"),), insecure_registries=(registry.address,)
    )
    registries = Registries(settings)
    match = {"repositories": [repository], "minimumAge": "72h"}
    _, key = add_receiver(service, **{**RULES, "match": match}, registry={"resolve": True})
    found = {}
    for tag, hours in (("1", 80), ("2", 1)):
        image = build(tmp_path / tag, labels={CREATED: ago(service, hours=hours)})
        push_image(image, f"{repository}:{tag}")
        (found[tag],) = push(service, key, tag, repository, pushed_at=None).executions
    wait_for(lambda: all(get(service, id_).state == "held" for id_ in found.values()))
    one_pass(Ages(service.store, registries, service._wake))
    registries.close()
    wait_for(lambda: "1 h 0 min before its push" in get(service, found["2"]).message)
    assert get(service, found["2"]).state == "held"
    assert wait_for_end(service, found["1"], 10).state == "succeeded"


def test_a_push_by_hand_is_held_too(service: WebhookService) -> None:
    receiver, _ = add_receiver(service, **RULES, registry={"resolve": True})
    (execution,) = service.interventions.push(PROJECT, receiver, "acme/shop:9").executions
    wait_for(lambda: get(service, execution).reason == "minimum_age")
    assert service.interventions.release(PROJECT, execution).let_through == "application"


def test_simulate_says_that_a_push_would_be_held(service: WebhookService) -> None:
    receiver, _ = add_receiver(service, **RULES, registry={"resolve": True})
    (work,) = service.simulate(PROJECT, receiver, Call(dockerhub_push("acme/shop", "1"))).planned
    assert work.plan.notes[0].startswith("match.minimumAge holds it until its image is 72h old.")
