"""Digests and platforms at the real registry."""

from pathlib import Path
from typing import Any

import pytest

from tests.registry.conftest import MakeClient, event
from tests.servers.images import Image, build, push
from tests.servers.registry import Registry
from tests.servers.uploads import OCI_INDEX, described, put_blob, put_manifest
from webhook_service.errors import DriverError, Retry
from webhook_service.model.rules.registry import RegistryRule
from webhook_service.registry.resolve import Resolver

ABSENT = f"sha256:{'0' * 64}"
CONFIG = "application/vnd.oci.image.config.v1+json"


@pytest.fixture
def address(registry: Registry) -> str:
    return registry.address


@pytest.fixture
def resolver(client: MakeClient, address: str) -> Resolver:
    return Resolver(client(address))


@pytest.fixture
def image(address: str, folder: Path) -> Image:
    image = build(folder)
    push(image, f"{address}/acme/shop:1.2.3")
    return image


def rule(*platforms: str) -> RegistryRule:
    return RegistryRule(platforms=platforms)


def refused(resolver: Resolver, *args: Any) -> DriverError:
    with pytest.raises(DriverError) as caught:
        resolver.resolve(*args)
    assert not isinstance(caught.value, Retry)
    return caught.value


@pytest.fixture
def index(address: str, tmp_path: Path) -> str:
    """A multi-platform image with a builder's attestation, at the tag 2.0.0."""
    entries = [
        (build(tmp_path / "amd64"), {"os": "linux", "architecture": "amd64"}),
        (build(tmp_path / "arm64"), {"os": "linux", "architecture": "arm64", "variant": "v8"}),
        (build(tmp_path / "armv7"), {"os": "linux", "architecture": "arm", "variant": "v7"}),
        (build(tmp_path / "note"), {"os": "unknown", "architecture": "unknown"}),
    ]
    for number, (image, _) in enumerate(entries):
        push(image, f"{address}/acme/shop:part-{number}")
    manifests = [described(image.digest, platform=platform) for image, platform in entries]
    content = {"mediaType": OCI_INDEX, "manifests": manifests}
    return put_manifest(address, "acme/shop", "2.0.0", content)


def test_tag_gets_the_digest_that_it_has(resolver: Resolver, address: str, image: Image) -> None:
    found = resolver.resolve(event(address), RegistryRule())
    assert found.image == f"{address}/acme/shop:1.2.3@{image.digest}"
    assert found.media_type == "application/vnd.oci.image.manifest.v1+json"


def test_manifest_of_dockers_own_kind_is_resolved(
    resolver: Resolver, address: str, folder: Path
) -> None:
    push(build(folder), f"{address}/acme/shop:docker", "v2s2")
    found = resolver.resolve(event(address, "docker"), rule("linux/amd64"))
    assert found.media_type == "application/vnd.docker.distribution.manifest.v2+json"


def test_index_is_resolved_as_a_whole(resolver: Resolver, address: str, index: str) -> None:
    found = resolver.resolve(event(address, "2.0.0"), RegistryRule())
    assert (found.digest, found.media_type) == (index, OCI_INDEX)


def test_event_is_left_alone_where_nothing_is_asked(resolver: Resolver) -> None:
    push_event = event("127.0.0.1:1")
    assert resolver.resolve(push_event, RegistryRule(resolve=False)) is push_event


def test_digest_of_the_event_stays_when_the_tag_has_moved_on(
    resolver: Resolver, address: str, image: Image, tmp_path: Path
) -> None:
    push(build(tmp_path / "newer"), f"{address}/acme/shop:1.2.3")
    found = resolver.resolve(event(address, digest=image.digest), RegistryRule())
    assert found.digest == image.digest


def test_digest_that_the_registry_lacks_gives_way_to_the_tags(
    resolver: Resolver, address: str, image: Image
) -> None:
    found = resolver.resolve(event(address, digest=ABSENT), RegistryRule())
    assert found.digest == image.digest


def test_digest_alone_is_enough(resolver: Resolver, address: str, image: Image) -> None:
    found = resolver.resolve(event(address, None, digest=image.digest), RegistryRule())
    assert found.image == f"{address}/acme/shop@{image.digest}"


@pytest.mark.parametrize(
    "more",
    [
        {"tag": "9.9.9"},
        {"repository": "acme/none"},
        {"tag": None, "digest": ABSENT},
        {"tag": "9.9.9", "digest": ABSENT},
        {"tag": None},
        {"tag": "../../_catalog"},
    ],
)
def test_image_that_is_not_there_is_refused(
    resolver: Resolver, address: str, image: Image, more: dict[str, Any]
) -> None:
    error = refused(resolver, event(address, **more), RegistryRule())
    assert error.reason == "image_missing"
    assert error.message.endswith("or check that the sender names the right registry.")


@pytest.mark.parametrize(
    "platforms",
    [
        ["linux/amd64"],
        ["linux/arm64"],
        ["linux/arm64/v8"],
        ["linux/arm"],
        ["linux/arm/v7"],
        ["linux/amd64", "linux/arm64"],
    ],
)
def test_index_that_has_the_platforms_passes(
    resolver: Resolver, address: str, index: str, platforms: list[str]
) -> None:
    assert resolver.resolve(event(address, "2.0.0"), rule(*platforms)).digest == index


@pytest.mark.parametrize(
    "platforms",
    [["windows/amd64"], ["linux/arm/v6"], ["linux/amd64/v3"], ["linux/amd64", "linux/s390x"]],
)
def test_index_that_lacks_a_platform_is_refused(
    resolver: Resolver, address: str, index: str, platforms: list[str]
) -> None:
    error = refused(resolver, event(address, "2.0.0"), rule(*platforms))
    assert error.reason == "platform_mismatch"
    assert error.message == (
        f"{address}/acme/shop:2.0.0 runs on linux/amd64, linux/arm/v7, linux/arm64/v8, not on "
        f"{platforms[-1]}; build it for that platform and push it again."
    )


def test_single_image_is_judged_by_its_config(
    resolver: Resolver, address: str, folder: Path
) -> None:
    push(build(folder, architecture="arm64"), f"{address}/acme/shop:arm")
    assert resolver.resolve(event(address, "arm"), rule("linux/arm64")).digest
    error = refused(resolver, event(address, "arm"), rule("linux/amd64"))
    assert "runs on linux/arm64, not on linux/amd64" in error.message


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (b"{}", "platform_mismatch"),
        (b'{"os": 1, "architecture": "amd64"}', "platform_mismatch"),
        (b'{"os": "linux", "architecture": "amd64\\n"}', "platform_mismatch"),
        (b"[]", "platform_mismatch"),
        (b"not JSON", "registry_failed"),
    ],
)
def test_config_that_names_no_platform_is_refused(
    resolver: Resolver, address: str, config: bytes, reason: str
) -> None:
    content = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": put_blob(address, "acme/shop", CONFIG, config),
        "layers": [],
    }
    put_manifest(address, "acme/shop", "odd", content)
    assert refused(resolver, event(address, "odd"), rule("linux/amd64")).reason == reason
