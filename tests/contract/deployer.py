"""A driver with the rights that the printed Roles give, and no other, on the real cluster."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from tests.contract.client import Client, eventually
from tests.contract.conftest import Cluster
from tests.contract.shop import account
from tests.drivers.strategies.colours import blue_green
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_drivers.kubernetes.manifests import roles
from webhook_service import InvalidConfig
from webhook_service.testing import sample_context


@contextmanager
def deployer(
    request: pytest.FixtureRequest, cluster: Cluster, client: Client, namespace: str, **options: Any
) -> Iterator[DeploymentUpdate]:
    """
    Args:
        options: how the driver is made, such as ``now``.
    """
    path = cluster.kubeconfig
    if cluster.real:
        rights = roles(["deploymentUpdate", "blueGreen", "canary"])
        path = account(request, client, namespace, rights)
    with closing(DeploymentUpdate({"kubeconfig": str(path)}, **options)) as driver:
        if cluster.real:
            eventually(lambda: _permitted(driver, namespace))
        yield driver


def _permitted(driver: DeploymentUpdate, namespace: str) -> bool:
    with pytest.raises(InvalidConfig) as caught:
        driver.validate(blue_green(namespace, service="none"), sample_context())
    return "Not allowed" not in caught.value.message
