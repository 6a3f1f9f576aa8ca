"""Hosts that share one PostgreSQL, also while it is away."""

from collections.abc import Iterator

import pytest

from tests.servers.postgres import Postgres
from tests.support import (
    add_receiver,
    make_service,
    push,
    stub_of,
    wait_for,
    wait_for_end,
)
from webhook_service.errors import StoreUnavailable
from webhook_service.model.delivery import Delivery
from webhook_service.service import WebhookService
from webhook_service.store import migrate
from webhook_service.store.database.database import Database

pytestmark = pytest.mark.postgres


@pytest.fixture
def server() -> Iterator[Postgres]:
    """A server of the test's own: it is stopped in the middle."""
    with Postgres() as server:
        yield server


@pytest.fixture
def hosts(server: Postgres) -> Iterator[tuple[WebhookService, WebhookService]]:
    url = server.new_database()
    database = Database(url)
    migrate.upgrade(database)
    database.close()
    with make_service(url) as one, make_service(url) as two:
        yield one, two


def test_two_hosts_share_the_work_without_doubling_it(
    hosts: tuple[WebhookService, WebhookService],
) -> None:
    one, two = hosts
    keys = [
        add_receiver(one, name=str(number), stubConfig={"target": str(number)})[1]
        for number in range(30)
    ]
    accepted = [push(host, key) for host, key in zip(hosts * 15, keys, strict=True)]
    found = [wait_for_end(two, delivery.executions[0]) for delivery in accepted]
    assert {execution.state for execution in found} == {"succeeded"}
    assert len(stub_of(one).calls) + len(stub_of(two).calls) == 30


def test_nothing_is_accepted_while_the_database_is_away_and_all_goes_on_after(
    server: Postgres, hosts: tuple[WebhookService, WebhookService]
) -> None:
    one, two = hosts
    _, key = add_receiver(one)
    before = push(one, key, "1", pushed_at=None)
    server.stop("immediate")
    with pytest.raises(StoreUnavailable):
        push(one, key, "2", pushed_at=None)
    server.start()

    def accepted() -> Delivery | None:
        try:
            return push(one, key, "3", pushed_at=None)
        except StoreUnavailable:
            return None

    after: Delivery = wait_for(accepted)
    assert wait_for_end(two, before.executions[0]).state in ("succeeded", "superseded")
    assert wait_for_end(two, after.executions[0]).state == "succeeded"
