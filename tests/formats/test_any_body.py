"""Whatever the body, a format answers ``Parsed`` or ``InvalidPayload``, and nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.anything import (
    BYTES,
    DIGEST,
    FAST,
    VALUES,
    assert_parsed_or_invalid,
    changed,
    with_bytes_changed,
)
from webhook_service.errors import InvalidRequest
from webhook_service.formats.alicloud import AliCloud, AliCloudOptions
from webhook_service.formats.azure import Azure
from webhook_service.formats.distribution import Distribution
from webhook_service.formats.dockerhub import DockerHub
from webhook_service.formats.format import Format, FormatOptions
from webhook_service.testing.samples import sample_push

FORMATS: dict[str, tuple[Format[Any], FormatOptions]] = {
    "dockerhub": (DockerHub(), FormatOptions()),
    "distribution": (Distribution(), FormatOptions()),
    "alicloud": (AliCloud(), AliCloudOptions()),
    "azure": (Azure(), FormatOptions()),
}
REGISTRIES = {"dockerhub": "docker.io", "alicloud": "registry-vpc.cn-hangzhou.aliyuncs.com"}


def _sample(name: str) -> bytes:
    registry = REGISTRIES.get(name, "registry.example:5000")
    return sample_push(name, f"{registry}/acme/shop:1.2.3", DIGEST)[0]


def check_body(name: str, body: bytes) -> None:
    format_, options = FORMATS[name]
    assert_parsed_or_invalid(format_, options, body)


@pytest.mark.parametrize("name", FORMATS)
@FAST
@given(body=BYTES)
def test_any_bytes_are_parsed_or_invalid(name: str, body: bytes) -> None:
    check_body(name, body)


@pytest.mark.parametrize("name", FORMATS)
@FAST
@given(value=VALUES)
def test_any_json_is_parsed_or_invalid(name: str, value: Any) -> None:
    check_body(name, json.dumps(value).encode())


@pytest.mark.parametrize("name", FORMATS)
@FAST
@given(data=st.data())
def test_a_real_body_with_fields_changed_is_parsed_or_invalid(name: str, data: Any) -> None:
    body = changed(data, json.loads(_sample(name)))
    check_body(name, json.dumps(body).encode())


@pytest.mark.parametrize("name", FORMATS)
@FAST
@given(data=st.data())
def test_a_real_body_with_bytes_changed_is_parsed_or_invalid(name: str, data: Any) -> None:
    check_body(name, with_bytes_changed(data, _sample(name)))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("image", ["nginx", "localhost:5000/a/b:2.0", "docker.io/acme/shop:1"])
def test_a_sample_of_any_image_is_a_push_of_its_tag(name: str, image: str) -> None:
    body, headers = sample_push(name, image)
    format_, options = FORMATS[name]
    (event,) = format_.parse(body, headers, options).events
    assert event.tag == (image.rpartition(":")[2] if ":" in image else "latest")


@pytest.mark.parametrize("name", FORMATS)
def test_a_sample_names_registry_repository_and_time(name: str) -> None:
    format_, _ = FORMATS[name]
    options = (
        AliCloudOptions(address_type="registry-vpc") if name == "alicloud" else FormatOptions()
    )
    (event,) = format_.parse(_sample(name), {}, options).events
    registry = REGISTRIES.get(name, "registry.example:5000")
    assert event.image.partition("@")[0] == f"{registry}/acme/shop:1.2.3"
    assert event.pushed_at
    assert _sample(name) == _sample(name)


def test_a_sample_of_an_unknown_format_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no sample"):
        sample_push("carrier-pigeon", "acme/shop:1")
