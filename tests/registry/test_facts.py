"""What images at the real registry say of themselves."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.registry.conftest import Fake, MakeClient, event
from tests.servers.canned import reply
from tests.servers.images import build, push
from tests.servers.registry import Registry
from tests.servers.uploads import OCI_INDEX, OCI_MANIFEST, described, put_blob, put_manifest
from webhook_service.driver import ImageFacts, PushEvent
from webhook_service.model.rules.registry import RegistryRule
from webhook_service.registry.facts import MAX_LABEL, MAX_SOURCE, PREFIX
from webhook_service.registry.resolve import Resolver

CONFIG = "application/vnd.oci.image.config.v1+json"
LABELS = {
    "source": "https://git.example.com/acme/shop",
    "revision": "4f2a9c0d5e",
    "created": "2026-11-26T10:00:00Z",
    "version": "1.2.3",
}


@pytest.fixture
def address(registry: Registry) -> str:
    return registry.address


@pytest.fixture
def resolver(client: MakeClient, address: str) -> Resolver:
    return Resolver(client(address))


def prefixed(labels: Mapping[str, object]) -> dict[str, object]:
    return {f"{PREFIX}{name}": value for name, value in labels.items()}


def put_image(address: str, tag: str, config: Any, **more: Any) -> str:
    """An image with this config, given as JSON or as bytes."""
    data = config if isinstance(config, bytes) else json.dumps(config).encode()
    blob = put_blob(address, "acme/facts", CONFIG, data)
    layers = [put_blob(address, "acme/facts", "application/octet-stream", b"layer")]
    content = {"mediaType": OCI_MANIFEST, "config": blob, "layers": layers} | more
    return put_manifest(address, "acme/facts", tag, content)


def facts_of(resolver: Resolver, address: str, tag: str) -> ImageFacts:
    found = resolver.resolve(event(address, tag, repository="acme/facts"), RegistryRule())
    assert found.facts is not None
    return found.facts


def test_labels_and_size_are_read(resolver: Resolver, address: str) -> None:
    config = {"config": {"Labels": prefixed(LABELS)}, "created": "1970-01-01T00:00:00Z"}
    put_image(address, "labels", config)
    size = len(json.dumps(config)) + len(b"layer")
    assert facts_of(resolver, address, "labels") == ImageFacts(**LABELS, size=size)


def test_image_that_skopeo_pushed_has_a_size_and_says_nothing(
    resolver: Resolver, address: str, tmp_path: Path
) -> None:
    push(build(tmp_path / "image"), f"{address}/acme/facts:plain")
    found = facts_of(resolver, address, "plain")
    assert found.size and found == ImageFacts(size=found.size)


def test_of_an_index_the_first_platform_is_asked(resolver: Resolver, address: str) -> None:
    entries = []
    for number, (name, system) in enumerate(
        [("attestation", "unknown"), ("first", "linux"), ("second", "linux")]
    ):
        config = {"config": {"Labels": prefixed({"revision": name})}}
        digest = put_image(address, f"part-{number}", config)
        entries.append(described(digest, platform={"os": system, "architecture": "amd64"}))
    content = {
        "mediaType": OCI_INDEX,
        "manifests": entries,
        "annotations": prefixed({"revision": "index", "version": "of the index"}),
    }
    put_manifest(address, "acme/facts", "index", content)
    found = facts_of(resolver, address, "index")
    assert (found.revision, found.version) == ("first", "of the index")


def test_annotations_of_the_manifest_say_what_labels_do_not(
    resolver: Resolver, address: str
) -> None:
    config = {"config": {"Labels": prefixed({"revision": "label"})}, "created": "2026-01-01"}
    annotations = prefixed({"revision": "annotation", "source": "https://example.com"})
    put_image(address, "annotated", config, annotations=annotations)
    found = facts_of(resolver, address, "annotated")
    assert (found.revision, found.source) == ("label", "https://example.com")
    assert found.created == "2026-01-01"


@pytest.mark.parametrize(
    "config",
    [
        b"not JSON",
        b"[]",
        b"null",
        {},
        {"config": None},
        {"config": {"Labels": None}},
        {"config": {"Labels": ["a"]}, "created": 7},
        {"config": {"Labels": prefixed({"revision": 7, "version": "", "source": "a\nb"})}},
        {"config": {"Labels": prefixed({"revision": "\0", "version": "\ud800"})}},
        {"config": {"Labels": prefixed({"revision": "x" * (MAX_LABEL + 1)})}},
        {"config": {"Labels": prefixed({"source": "x" * (MAX_SOURCE + 1)})}},
    ],
)
def test_config_that_says_nothing_usable_harms_nothing(
    resolver: Resolver, address: str, config: Any
) -> None:
    put_image(address, "odd", config)
    found = facts_of(resolver, address, "odd")
    assert found == ImageFacts(size=found.size)


def test_manifest_without_config_harms_nothing(resolver: Resolver, address: str) -> None:
    put_manifest(address, "acme/facts", "empty", {"mediaType": OCI_INDEX, "manifests": []})
    assert facts_of(resolver, address, "empty") == ImageFacts()


@pytest.mark.parametrize("size", [-1, "5", None, True, 1 << 60])
def test_size_that_is_none_is_left_out(client: MakeClient, fake: Fake, size: object) -> None:
    layers = [{"size": 5}, {"size": size}]
    found = resolved(client, fake, {"config": {"size": 5}, "layers": layers})
    assert found.facts == ImageFacts()


def test_registry_that_fails_at_it_does_not_stop_the_push(client: MakeClient, fake: Fake) -> None:
    assert resolved(client, fake, None).facts is None


def resolved(client: MakeClient, fake: Fake, content: object) -> PushEvent:
    """What comes of a push to a registry with this manifest; without one it fails when asked."""
    body = json.dumps(content).encode()
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    good = reply(body=body, Docker_Content_Digest=digest, Content_Type=OCI_MANIFEST)
    path = "/v2/acme/shop/manifests"
    server = fake(
        {
            f"HEAD {path}/1.2.3": good,
            f"GET {path}/{digest}": reply("500 Oops") if content is None else good,
        }
    )
    address = f"127.0.0.1:{server.port}"
    found = Resolver(client(address)).resolve(event(address), RegistryRule())
    assert found.digest == digest
    return found
