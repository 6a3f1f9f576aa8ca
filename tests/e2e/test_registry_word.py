"""The registry's own word: a sender that gives no digest still gets its digest deployed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.conftest import StartRegistry
from tests.e2e.conftest import OLD, Pipeline
from tests.e2e.host import Host
from tests.e2e.shop import Shop
from tests.servers.images import build
from webhook_service.testing.samples import dockerhub_push

pytestmark = pytest.mark.e2e


@pytest.fixture
def asking(shop: Shop, start_registry: StartRegistry, tmp_path: Path) -> Iterator[Pipeline]:
    """A service that may ask the test's registry, which tells nobody of pushes by itself."""
    registry = start_registry(None)
    settings = {"ALLOW_PRIVATE": "127.0.0.0/8", "INSECURE_REGISTRIES": registry.address}
    shop.set_image(f"{registry.address}/acme/shop:{OLD}")
    with Host(tmp_path, shop.kubeconfig, settings) as host:
        yield Pipeline(registry, host, shop, {}, tmp_path)


def receiver_of(pipeline: Pipeline, when: str | None = None, **registry: object) -> str:
    """The URL of a receiver that asks the registry before it deploys."""
    rules = {"repositories": [pipeline.repository]} | ({"when": when} if when else {})
    created = pipeline.host.create_receiver(
        name="asks",
        driver="deploymentUpdate",
        deploymentUpdateConfig={"namespace": pipeline.shop.namespace, "name": "shop"},
        match=rules,
        verify={"scheme": "none"},
        registry={"resolve": True, **registry},
    )
    return str(created["url"])


def send(pipeline: Pipeline, url: str, tag: str) -> dict[str, Any]:
    """Tell the service of a push as Docker Hub does, without a digest; gives what came of it."""
    answer = httpx.post(url, content=dockerhub_push(pipeline.repository, tag, pushed_at=None))
    assert answer.json()["state"] == "accepted", answer.text
    return pipeline.host.wait_for_end(tag)


def test_the_digest_at_the_registry_is_deployed(asking: Pipeline) -> None:
    image = asking.push("2.0.0")
    execution = send(asking, receiver_of(asking), "2.0.0")
    assert execution["state"] == "succeeded", execution["message"]
    assert execution["event"]["digest"] == image.digest
    asking.shop.wait_for_image(f"{asking.repository}:2.0.0@{image.digest}")


def test_what_the_image_says_is_kept_and_decides(asking: Pipeline, tmp_path: Path) -> None:
    url = receiver_of(asking, when="image.revision == '4f2a9c'")
    for tag, revision in (("2.0.0", "4f2a9c"), ("3.0.0", "other")):
        labels = {"org.opencontainers.image.revision": revision}
        asking.push(tag, build(tmp_path / tag, labels=labels))
    execution = send(asking, url, "2.0.0")
    assert execution["state"] == "succeeded", execution["message"]
    assert execution["event"]["facts"]["revision"] == "4f2a9c"
    filtered = send(asking, url, "3.0.0")
    assert (filtered["state"], filtered["reason"]) == ("unchanged", "filtered")
    assert filtered["event"]["facts"]["revision"] == "other"


def test_an_image_that_is_not_there_is_never_deployed(asking: Pipeline) -> None:
    before = asking.shop.images
    execution = send(asking, receiver_of(asking), "9.9.9")
    assert (execution["state"], execution["reason"]) == ("failed", "image_missing")
    assert asking.shop.images == before


def test_an_unsigned_image_is_never_deployed_where_a_key_is_asked_for(asking: Pipeline) -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    key = public.public_bytes(encoding, form).decode()
    asking.push("2.0.0")
    before = asking.shop.images
    execution = send(asking, receiver_of(asking, cosignKey=key), "2.0.0")
    assert (execution["state"], execution["reason"]) == ("failed", "signature_missing")
    assert asking.shop.images == before
