"""What a sender is told: made without its model, and as that says."""

import json
from datetime import UTC, datetime

import pytest
from starlette.responses import JSONResponse

from webhook_service.host.http.links import Links
from webhook_service.host.wire import answer, decision_json
from webhook_service.model.delivery import Delivery, DeliveryState
from webhook_service.resources import DecisionResource

LINKS = Links("https://hooks.example.com", "1a5")


@pytest.mark.parametrize("state", DeliveryState)
def test_a_decision_is_sent_as_its_resource_says(state: DeliveryState) -> None:
    delivery = Delivery("dlv_2", "1a5", "rcv_1", state, datetime.now(UTC), duplicate_of="dlv_1")
    told = json.loads(answer(LINKS, decision_json(delivery, LINKS)).body)
    assert told == DecisionResource.model_validate(told).as_json()
    assert (told["id"], told["state"]) == ("dlv_1", state.value)


def test_an_answer_has_the_headers_that_starlette_would_give_it() -> None:
    body = {"name": "für Elise"}
    found = answer(LINKS, body)
    usual = JSONResponse(body, headers={"X-Api-Schemas": LINKS.schemas})
    assert (found.status_code, found.body) == (200, usual.body)
    assert sorted(found.raw_headers) == sorted(usual.raw_headers)
