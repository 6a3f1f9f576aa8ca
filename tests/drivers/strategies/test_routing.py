"""Which pods a Service sends to, by EndpointSlices and by Endpoints."""

from typing import Any, cast

import pytest

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.resources import SERVICES, Address, Resource
from webhook_drivers.kubernetes.strategies.second.routing import SLICES, ready
from webhook_service import DriverError

SERVICE = Address(SERVICES, "shop", "web")


def endpoint(uid: str, **conditions: bool | None) -> dict[str, Any]:
    return {"targetRef": {"uid": uid}, "conditions": conditions}


class Routes:
    """A cluster whose pods are ``a`` to ``c``, and what it says of a Service."""

    def __init__(self, slices: Any, endpoints: Any = None) -> None:
        self.slices, self.endpoints = slices, endpoints

    def find(self, resource: Resource, namespace: str, selector: str, **_: Any) -> Any:
        if resource is not SLICES:
            return [{"metadata": {"uid": uid}} for uid in "abc"]
        assert (namespace, selector) == ("shop", "kubernetes.io/service-name=web")
        if isinstance(self.slices, DriverError):
            raise self.slices
        return self.slices

    def get(self, address: Address) -> Any:
        assert address.resource.plural == "endpoints"
        if self.endpoints is None:
            raise DriverError("gone", code="not_found")
        return self.endpoints


def count(slices: Any, endpoints: Any = None) -> int:
    return ready(cast(Cluster, Routes(slices, endpoints)), SERVICE, "app=web")


def test_ready_pods_of_all_slices_count_once() -> None:
    first = {"endpoints": [endpoint("a", ready=True), endpoint("b", ready=False)]}
    second = {"endpoints": [endpoint("a", ready=True), endpoint("c"), endpoint("x", ready=True)]}
    assert count([first, second, {"endpoints": None}]) == 2


def test_more_than_a_thousand_pods_are_counted() -> None:
    many = [
        {"endpoints": [endpoint(str(n)) for n in range(start, start + 100)]}
        for start in range(0, 1500, 100)
    ]
    routes = Routes(many)
    routes.find = lambda resource, *_, **__: (  # type: ignore[method-assign]
        many if resource is SLICES else [{"metadata": {"uid": str(n)}} for n in range(1500)]
    )
    assert ready(cast(Cluster, routes), SERVICE, "app=web") == 1500


@pytest.mark.parametrize(
    "slices",
    [DriverError("not served", code="not_found"), DriverError("rbac", code="forbidden"), []],
    ids=["an old cluster", "a Role of 0.1.0", "none for the Service"],
)
def test_where_there_are_no_slices_endpoints_are_read(slices: Any) -> None:
    addresses = [{"targetRef": {"uid": "a"}}, {"targetRef": {"uid": "x"}}, {"ip": "10.0.0.9"}]
    assert count(slices, {"subsets": [{"addresses": addresses}, {}]}) == 1
    assert count(slices) == 0


def test_another_fault_is_no_reason_to_guess() -> None:
    with pytest.raises(DriverError, match="broken"):
        count(DriverError("broken"))
