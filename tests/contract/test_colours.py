"""blueGreen and canary on both clusters, with the Roles that are printed for them.

The real controllers take their time between a Service's selector and its Endpoints: here a driver
that does not wait for them would lose pods behind the Service.
"""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.contract.client import Client, eventually
from tests.contract.conftest import Cluster
from tests.contract.shop import account
from tests.drivers.steps import LABELS, SHA, context, push, run_to_end, template_of
from tests.drivers.strategies.colours import REPLICAS, Shop, blue_green, canary
from webhook_drivers.kubernetes.drivers.deployment_update import (
    DeploymentUpdate,
    DeploymentUpdateConfig,
)
from webhook_drivers.kubernetes.manifests import roles
from webhook_service import Done, DriverError, InvalidConfig
from webhook_service.testing import sample_context

NEW = f"acme/shop:2@{SHA}"
STRATEGIES = {"shop-green": blue_green, "shop-canary": canary}


@pytest.fixture(params=STRATEGIES)
def second(request: pytest.FixtureRequest) -> str:
    """The name of the second Deployment, and so the strategy."""
    name: str = request.param
    return name


@pytest.fixture
def settings(second: str, namespace: str) -> DeploymentUpdateConfig:
    return STRATEGIES[second](namespace)


@pytest.fixture
def shop(cluster: Cluster, client: Client, namespace: str) -> Shop:
    shop = Shop(client, cluster.kubeconfig, namespace)
    shop.start()
    return shop


@pytest.fixture
def driver(
    request: pytest.FixtureRequest,
    cluster: Cluster,
    client: Client,
    namespace: str,
    settings: DeploymentUpdateConfig,
) -> Iterator[DeploymentUpdate]:
    path = cluster.kubeconfig
    if cluster.real:
        path = account(
            request, client, namespace, roles(["deploymentUpdate", settings.strategy.type])
        )
    with closing(DeploymentUpdate({"kubeconfig": str(path)})) as driver:
        yield driver


def permitted(driver: DeploymentUpdate, settings: DeploymentUpdateConfig) -> bool:
    """Whether the API server knows the new binding already."""
    try:
        driver.validate(settings, sample_context())
    except InvalidConfig as error:
        assert "Not allowed" in error.message, error.message
        return False
    return True


def test_no_pod_is_missed_behind_the_service(
    driver: DeploymentUpdate, settings: DeploymentUpdateConfig, shop: Shop, second: str
) -> None:
    eventually(lambda: permitted(driver, settings))
    before = template_of(shop.get("Deployment"))
    with shop.prober() as prober:
        outcome = run_to_end(driver, settings, push("2", SHA), context(1))
    assert isinstance(outcome, Done)
    shop.assert_at_rest(NEW, second)
    assert prober.least >= REPLICAS, prober.counts
    if second == "shop-green":
        assert min(prober.served) >= REPLICAS, prober.served
    before["spec"]["containers"][0]["image"] = NEW
    assert template_of(shop.get("Deployment")) == before


def test_a_bad_image_costs_nothing(
    driver: DeploymentUpdate, settings: DeploymentUpdateConfig, shop: Shop, second: str
) -> None:
    eventually(lambda: permitted(driver, settings))
    before = template_of(shop.get("Deployment"))
    hasty = settings.model_copy(update={"timeout_seconds": 3})
    with shop.prober() as prober, pytest.raises(DriverError, match="rolled back"):
        run_to_end(driver, hasty, push("bad"), context(1))
    shop.assert_at_rest("acme/shop:1", second)
    assert prober.least >= REPLICAS, prober.counts
    assert template_of(shop.get("Deployment")) == before


def test_a_second_push_in_a_row_works_the_same(
    driver: DeploymentUpdate, settings: DeploymentUpdateConfig, shop: Shop, second: str
) -> None:
    eventually(lambda: permitted(driver, settings))
    with shop.prober() as prober:
        for number in (2, 3):
            outcome = run_to_end(driver, settings, push(str(number)), context(number))
            assert isinstance(outcome, Done)
            shop.assert_at_rest(f"acme/shop:{number}", second)
    assert prober.least >= REPLICAS, prober.counts
    assert shop.selector() == LABELS
