"""What the tests of the chart change in a real cluster."""

from collections.abc import Iterator

import pytest

from tests.servers.control_plane import ControlPlane


@pytest.fixture
def target(control_plane: ControlPlane) -> Iterator[str]:
    """A namespace with a Deployment."""
    namespace = control_plane.new_namespace("shop")
    containers = [{"name": "shop", "image": "registry.invalid/acme/shop:1.0.0"}]
    template = {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": containers}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "shop"}}, "template": template}
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    control_plane.api.post(path, {"metadata": {"name": "shop"}, "spec": spec})
    yield namespace
    control_plane.api.delete(f"/api/v1/namespaces/{namespace}")
