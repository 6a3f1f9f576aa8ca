"""The conformance kit on every format that the service ships."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.testing.shipped import shipped
from webhook_service.formats import Format
from webhook_service.plugins.discovery import FORMATS, discover
from webhook_service.testing import sample_push
from webhook_service.testing.kit import FormatCase, FormatConformance, Sample
from webhook_service.testing.samples import azure_push, distribution_push
from webhook_service.testing.samples_cloud import google_push
from webhook_service.testing.samples_scm import gitea_package

INSTALLED = discover(FORMATS, "format", Format)  # type: ignore[type-abstract]
IMAGES = {
    "dockerhub": "docker.io/acme/shop:1.2.3",
    "alicloud": "registry.cn-hangzhou.aliyuncs.com/acme/shop:1.2.3",
    "azure": "acme.azurecr.io/shop:1.2.3",
    "distribution": "registry.example:5000/acme/shop:1.2.3",
    "ecr": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/acme/shop:1.2.3",
    "google": "europe-docker.pkg.dev/acme/apps/shop:1.2.3",
    "jfrog": "acme.jfrog.io/docker/shop:1.2.3",
    "nexus": "nexus.example/acme/shop:1.2.3",
    "cloudsmith": "docker.cloudsmith.io/acme/prod/shop:1.2.3",
    "zot": "zot.example/acme/shop:1.2.3",
    "quay": "quay.io/acme/shop:1.2.3",
    "github": "ghcr.io/acme/shop:1.2.3",
    "gitlab": "registry.gitlab.com/acme/shop:1.2.3",
    "harbor": "harbor.example/acme/shop:1.2.3",
    "gitea": "gitea.example/acme/shop:1.2.3",
    "cloudevents": "ghcr.io/acme/shop:1.2.3",
    "generic": "registry.example:5000/acme/shop:1.2.3",
    "auto": "docker.io/acme/shop:1.2.3",
}
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "nexus": {"registry": "nexus.example"},
    "zot": {"registry": "zot.example"},
    "generic": {"repository": "$.name", "tag": "$.tag", "registry": "registry.example:5000"},
}
BAD_OPTIONS: Mapping[str, list[Mapping[str, Any]]] = {
    "generic": [{}, {"tag": "$.tag"}, {"image": "$["}],
}
CLOUDEVENTS = {"content-type": "application/cloudevents+json"}


def cloudevent(kind: str, tag: str) -> bytes:
    """A CDEvent about an artifact, as a CloudEvent in structured mode."""
    purl = f"pkg:oci/shop@sha256%3A{'ab' * 32}?repository_url=ghcr.io/acme/shop&tag={tag}"
    about = {"id": f"shop-{tag}", "source": "/ci/shop", "type": f"dev.cdevents.artifact.{kind}"}
    time = "2026-01-02T03:04:05Z"
    subject = {"id": purl, "type": "artifact", "content": {}}
    data = {"context": {**about, "version": "0.5.0", "timestamp": time}, "subject": subject}
    return json.dumps({"specversion": "1.0", **about, "time": time, "data": data}).encode()


DELETES: Mapping[str, bytes] = {
    "azure": azure_push("acme.azurecr.io", "shop", "1.2.3", action="delete"),
    "distribution": distribution_push("registry.example", "acme/shop", "1", action="delete"),
    "gitea": gitea_package("acme", "shop", "1.2.3", action="deleted"),
    "google": google_push("europe-docker.pkg.dev/acme/apps/shop", "1.2.3", action="DELETE"),
    "generic": b'{"name": "acme/shop", "tag": ""}',
    "auto": b'{"docker_url": "quay.io/acme/shop", "build_id": "1"}',
    "cloudevents": cloudevent("deleted.0.1.0", "1.2.3"),
}


def sample(name: str, image: str) -> tuple[bytes, Mapping[str, str]]:
    """A call of the format's sender; those of any sender, or of none, have one made up."""
    if name == "auto":
        return sample_push("dockerhub", image)
    if name == "generic":
        return json.dumps({"name": "acme/shop", "tag": image.rpartition(":")[2]}).encode(), {}
    if name == "cloudevents":
        return cloudevent("published.0.3.0", image.rpartition(":")[2]), CLOUDEVENTS
    return sample_push(name, image)


def bound(name: str) -> Callable[[], Format[Any]]:
    """Makes the format, as a receiver has it."""
    kind, given = INSTALLED.get(name), dict(OPTIONS.get(name, {}))
    return lambda: kind().bind(kind.Options.model_validate(given), INSTALLED.targets)


def case_of(name: str) -> FormatCase:
    format_ = bound(name)
    image = IMAGES[name]
    options = OPTIONS.get(name, {})
    pushes = []
    for tag in ("1.2.3", "1.2.4"):
        body, headers = sample(name, image.replace("1.2.3", tag))
        read = format_().parse(body, headers, format_().Options.model_validate(dict(options)))
        images = tuple([event.image for event in read.events])
        assert [each.partition("@")[0] for each in images] == [image.replace("1.2.3", tag)]
        pushes.append(Sample(body=body, headers=headers, images=images))
    ignored = [Sample(body=DELETES[name], headers=pushes[0].headers)] if name in DELETES else []
    return FormatCase(
        format=format_,
        pushes=pushes,
        ignored=ignored,
        options=options,
        bad_options=BAD_OPTIONS.get(name, ()),
    )


def test_every_format_is_held_to_its_contract() -> None:
    assert set(IMAGES) == shipped(FORMATS)


@pytest.mark.parametrize("name", IMAGES)
class TestShippedFormats(FormatConformance):
    @pytest.fixture
    def case(self, name: str) -> FormatCase:
        return case_of(name)
