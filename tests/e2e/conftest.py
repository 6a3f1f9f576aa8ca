from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartRegistry
from tests.e2e.host import Host
from tests.e2e.shop import Shop
from tests.servers.control_plane import ControlPlane
from tests.servers.images import Image, build, push
from tests.servers.registry import Registry

OLD = "1.0.0"


@dataclass
class Pipeline:
    """Registry, service and cluster, connected as a user connects them."""

    registry: Registry
    host: Host
    shop: Shop
    receiver: dict[str, Any]
    folder: Path

    @property
    def repository(self) -> str:
        return f"{self.registry.address}/acme/shop"

    def push(self, tag: str, image: Image | None = None) -> Image:
        """Build an image, unless one is given, and push it to the registry."""
        image = image or build(self.folder / f"image-{tag}")
        push(image, f"{self.repository}:{tag}")
        return image


@pytest.fixture
def shop(control_plane: ControlPlane) -> Iterator[Shop]:
    shop = Shop(control_plane, "registry.invalid/acme/shop:0")
    yield shop
    shop.remove()


@pytest.fixture
def host(tmp_path: Path, shop: Shop) -> Iterator[Host]:
    with Host(tmp_path, shop.kubeconfig) as host:
        yield host


@pytest.fixture
def pipeline(
    host: Host, shop: Shop, start_registry: StartRegistry, tmp_path: Path
) -> Iterator[Pipeline]:
    config = {
        "namespace": shop.namespace,
        "name": "shop",
        "rollbackOnFailure": True,
        "timeoutSeconds": 3,
    }
    receiver = host.create_receiver(
        name="shop",
        driver="deploymentUpdate",
        deploymentUpdateConfig=config,
        source={"format": "distribution"},
        match={"repositories": ["acme/shop"]},
        verify={"scheme": "none"},
    )
    registry = start_registry(receiver["url"])
    shop.set_image(f"{registry.address}/acme/shop:{OLD}")
    yield Pipeline(registry, host, shop, receiver, tmp_path)
