"""Whatever the body, a format answers ``Parsed`` or ``InvalidPayload``, and nothing else."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from webhook_service.errors import InvalidPayload, InvalidRequest
from webhook_service.images import is_digest, is_tag, parse_repository
from webhook_service.payloads.alicloud import AliCloud, AliCloudOptions
from webhook_service.payloads.azure import Azure
from webhook_service.payloads.distribution import Distribution
from webhook_service.payloads.dockerhub import DockerHub
from webhook_service.payloads.format import Format, FormatOptions, Parsed
from webhook_service.testing.payloads import sample_push

DIGEST = "sha256:" + "ab" * 32
FORMATS: dict[str, tuple[Format[Any], FormatOptions]] = {
    "dockerhub": (DockerHub(), FormatOptions()),
    "distribution": (Distribution(), FormatOptions()),
    "alicloud": (AliCloud(), AliCloudOptions()),
    "azure": (Azure(), FormatOptions()),
}
REGISTRIES = {"dockerhub": "docker.io", "alicloud": "registry-vpc.cn-hangzhou.aliyuncs.com"}
FAST = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
SCALARS: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["", "a/b", "a.b:5000/c", "sha256:1", "1.2.3", "push", DIGEST, "\ufeff"])
)
VALUES = st.recursive(
    SCALARS, lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(), some, max_size=3)
)


def _sample(name: str) -> bytes:
    registry = REGISTRIES.get(name, "registry.example:5000")
    return sample_push(name, f"{registry}/acme/shop:1.2.3", DIGEST)[0]


def _check(name: str, body: bytes) -> None:
    format_, options = FORMATS[name]
    try:
        parsed = format_.parse(body, {}, options)
    except InvalidPayload as exc:
        assert exc.message
        return
    assert isinstance(parsed, Parsed)
    for event in parsed.events:
        assert event.tag and is_tag(event.tag)
        assert event.digest is None or is_digest(event.digest)
        assert parse_repository(event.reference.name) == event.reference.at(None)
        assert event.pushed_at is None or event.pushed_at.utcoffset() is not None
    for item in parsed.dropped:
        assert item.reason and len(item.subject) < 1000


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a JSON value, however deep."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    return [place for key in keys for place in [(value, key), *_places(value[key])]]


@pytest.mark.parametrize("name", FORMATS)
@FAST
@given(body=st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_parsed_or_invalid(name: str, body: bytes) -> None:
    _check(name, body)


@pytest.mark.parametrize("name", FORMATS)
@FAST
@given(value=VALUES)
def test_any_json_is_parsed_or_invalid(name: str, value: Any) -> None:
    _check(name, json.dumps(value).encode())


@pytest.mark.parametrize("name", FORMATS)
@FAST
@given(data=st.data())
def test_a_real_body_with_fields_changed_is_parsed_or_invalid(name: str, data: Any) -> None:
    body = json.loads(_sample(name))
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(_places(body)))
        if isinstance(container, dict) and data.draw(st.booleans()):
            container.pop(key)
        else:
            container[key] = data.draw(VALUES)
        if not _places(body):
            break
    _check(name, json.dumps(body).encode())


@pytest.mark.parametrize("name", FORMATS)
@FAST
@given(data=st.data())
def test_a_real_body_with_bytes_changed_is_parsed_or_invalid(name: str, data: Any) -> None:
    body = bytearray(_sample(name))
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, min(len(body), start + 8)))
    body[start:end] = data.draw(st.binary(max_size=8))
    _check(name, bytes(body))


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
