"""Lists whose rows cannot all be read: people see the others."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import PROJECT, add_receiver, make_service, push, sqlite_url
from webhook_service.errors import InvalidConfig, StoreUnavailable
from webhook_service.model.delivery import DeliveryState
from webhook_service.service import WebhookService


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebhookService]:
    with make_service(sqlite_url(tmp_path), run=False) as service:
        yield service


BAD = {
    "unknown state": "UPDATE executions SET state = 'odd' WHERE id = '{execution}'",
    "no JSON": "UPDATE executions SET event = 'x' WHERE id = '{execution}'",
    "no JSON of a delivery": "UPDATE deliveries SET items = 'x' WHERE id = '{delivery}'",
    "unknown policy": "UPDATE receivers SET match = '{{\"tags\": 1}}' WHERE id = '{receiver}'",
    "no JSON of a receiver": "UPDATE receivers SET match = 'x' WHERE id = '{receiver}'",
}


@pytest.mark.parametrize("statement", BAD.values(), ids=BAD)
def test_a_row_that_cannot_be_read_hides_no_other(service: WebhookService, statement: str) -> None:
    bad, key = add_receiver(service)
    delivery = push(service, key)
    _, well = add_receiver(service, name="well", stubConfig={"target": "well"})
    push(service, well)
    ids = {"execution": delivery.executions[0], "delivery": delivery.id, "receiver": bad}
    change = statement.format(**ids)
    service.store.database.write(lambda connection: connection.exec_driver_sql(change))
    lists = (service.list_executions, service.list_deliveries, service.list_receivers)
    assert sorted(len(found(PROJECT).items) for found in lists) == [1, 2, 2]
    assert push(service, well, "2").state is DeliveryState.ACCEPTED


@pytest.mark.parametrize("bad", ["unknown policy", "no JSON of a receiver"])
def test_a_receiver_that_cannot_be_read_says_so_and_can_be_deleted(
    service: WebhookService, bad: str
) -> None:
    id_, key = add_receiver(service)
    change = BAD[bad].format(receiver=id_)
    service.store.database.write(lambda connection: connection.exec_driver_sql(change))
    with pytest.raises((InvalidConfig, StoreUnavailable), match="cannot be read"):
        push(service, key)
    service.delete_receiver(PROJECT, id_)
    assert not service.list_receivers(PROJECT).items
