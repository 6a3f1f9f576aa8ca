"""What people pick from, and what happens when there is nothing to pick from."""

from typing import Any

import pytest

from webhook_drivers.kubernetes.api.grants import Grant
from webhook_service.driver import Context, DriverConfig, Offer, WebhookDriver
from webhook_service.plugins.boundary import Unstorable, shown_offers


def test_where_namespaces_cannot_be_listed_those_that_are_granted_by_name_are_offered() -> None:
    named = Grant("shop", "default", ("default/shop", "other/away", "team-*"), own="kube-system")
    assert named.named == ("shop",)


@pytest.mark.parametrize("found", [None, "x", [1], [Offer(label="a", config={"x": float("nan")})]])
def test_offers_that_are_none_are_refused(found: Any) -> None:
    with pytest.raises(Unstorable):
        shown_offers(found)


def test_a_driver_that_offers_nothing_offers_nothing() -> None:
    context = Context.without_execution("shop", "", shared=False)
    assert WebhookDriver.offers(_Plain(), {}, context) == ()


class _Plain(WebhookDriver[DriverConfig]):
    def execute(self, config: Any, event: Any, context: Any) -> Any:
        raise NotImplementedError
