"""Outages: what waits for a cluster is tried when it answers again, and not before."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from tests.contract.client import Client
from tests.contract.deployed import Deployed, serving
from tests.contract.shop import Shop
from tests.servers.control_plane import ControlPlane
from tests.support import PROJECT, add_receiver, make_service, push, stub_of, wait_for, wait_for_end
from webhook_service.chores.outages import Outages
from webhook_service.driver import Context, PushEvent
from webhook_service.errors import DriverError, Retry
from webhook_service.people.looks import Looks
from webhook_service.service import WebhookService
from webhook_service.store.tables import executions
from webhook_service.testing import StubConfig, StubDriver

AWAY = Retry("The cluster does not answer.", code="unreachable")
HOUR = timedelta(hours=1)


class Looking(StubDriver):
    """A stub that can be asked what runs."""

    sight: Any = ()

    def observe(self, config: StubConfig, event: PushEvent, context: Context) -> Any:
        if isinstance(self.sight, BaseException):
            raise self.sight
        return self.sight


@pytest.fixture
def service(database_url: str) -> Iterator[WebhookService]:
    with make_service(database_url, {"stub": Looking}) as service:
        yield service


def chore(service: WebhookService) -> Outages:
    looks = Looks(service.store, service._receivers, service.bounded)
    return Outages(service.store.outages, service.store.receivers, looks, service._wake)


def one_pass(service: WebhookService) -> int:
    """All steps of the chore; how many were woken."""
    found, cursor, woken = chore(service), "", 0
    while True:
        step = found.step(cursor)
        cursor, woken = step.cursor, woken + step.count
        if step.done:
            return woken


def delay(service: WebhookService, ids: Sequence[str]) -> None:
    """As after many retries."""
    later = service.store.now() + HOUR
    statement = update(executions).where(executions.c.id.in_(ids)).values(due=later, queue="later")
    service.store.database.write(lambda connection: connection.execute(statement))


def is_woken(service: WebhookService, execution: str) -> bool:
    """Whether the service's own chore was first."""
    found = service.get_execution(PROJECT, execution)
    return found.due is None or found.due < service.store.now() + HOUR / 2


def waiting(service: WebhookService, reason: str = "unreachable", name: str = "shop") -> str:
    """An execution whose next try is an hour off."""
    stub_of(service).steps = [Retry("It failed.", after=3600, code=reason)]
    _, key = add_receiver(service, name=name, stubConfig={"target": name})
    (execution,) = push(service, key).executions
    wait_for(lambda: service.get_execution(PROJECT, execution).state == "retrying")
    return execution


def test_what_waits_runs_as_soon_as_its_target_answers(service: WebhookService) -> None:
    execution = waiting(service)
    Looking.sight = AWAY
    assert one_pass(service) == 0
    assert service.get_execution(PROJECT, execution).state == "retrying"
    Looking.sight = ()
    assert one_pass(service) == 1
    assert wait_for_end(service, execution, 10).state == "succeeded"


@pytest.mark.parametrize(
    ("reason", "sight"),
    [("throttled", ()), ("unreachable", None), ("cluster_down", AWAY)],
    ids=["another reason", "a driver that cannot look", "still away"],
)
def test_nothing_is_woken_without_a_sign(
    service: WebhookService, reason: str, sight: object
) -> None:
    waiting(service, reason)
    Looking.sight = sight
    assert one_pass(service) == 0


def test_a_refusal_is_an_answer_too(service: WebhookService) -> None:
    waiting(service, "cluster_down")
    Looking.sight = DriverError("Not allowed.", code="forbidden")
    assert one_pass(service) == 1


def test_each_receiver_is_asked_for_itself(service: WebhookService) -> None:
    first, second = waiting(service), waiting(service, name="other")
    Looking.sight = ()
    assert one_pass(service) == 2
    for execution in (first, second):
        assert wait_for_end(service, execution, 10).state == "succeeded"


# It stops and starts an API server, and is often the first that needs one.
@pytest.mark.timeout(300)
def test_after_an_outage_of_a_real_api_server_the_push_is_deployed_at_once(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    namespace = control_plane.new_namespace("outage")
    with (
        Client(control_plane.kubeconfig) as client,
        serving(control_plane.kubeconfig, tmp_path) as service,
    ):
        shop = Shop(client, namespace)
        shop.create()
        deployed = Deployed(service, shop)
        control_plane.stop_api()
        try:
            execution = deployed.begin("2")
            wait_for(lambda: service.get_execution(PROJECT, execution).reason == "unreachable")
            delay(service, [execution])
            assert one_pass(service) == 0
        finally:
            control_plane.start_api()
        wait_for(lambda: one_pass(service) or is_woken(service, execution), 70)
        assert wait_for_end(service, execution, 60).state == "succeeded"
    with Client(control_plane.kubeconfig) as client:
        found = client.ok("GET", shop.path())["spec"]["template"]["spec"]["containers"][0]
    assert found["image"] == "acme/shop:2"
