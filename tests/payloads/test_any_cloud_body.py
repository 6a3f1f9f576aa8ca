"""Whatever the body, the clouds' formats answer ``Parsed`` or ``InvalidPayload`` too."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.payloads.test_any_body import FAST, VALUES, _places
from webhook_service.errors import InvalidPayload
from webhook_service.images import is_digest, is_tag, parse_image, parse_repository
from webhook_service.payloads.azure import Azure
from webhook_service.payloads.ecr import Ecr
from webhook_service.payloads.format import Format, FormatOptions, Parsed
from webhook_service.payloads.google import Google
from webhook_service.payloads.jfrog import JFrog, JFrogOptions
from webhook_service.payloads.nexus import Nexus, NexusOptions
from webhook_service.payloads.sns import subscription
from webhook_service.testing.payloads import azure_push
from webhook_service.testing.samples_cloud import (
    cloud_sample,
    ecr_cloud_event,
    ecr_push,
    event_grid,
    event_grid_validation,
    google_change,
    google_push,
    jfrog_push,
    nexus_push,
    sns_notification,
    sns_subscription,
)

HOST = "registry.example:5000"
IMAGE = f"{HOST}/acme/shop"
AZURE = azure_push("acme.azurecr.io", "shop", "1.2.3")
ECR, GOOGLE, JFROG, NEXUS = Ecr(), Google(), JFrog(), Nexus()
PLAIN, AT_HOST = FormatOptions(), NexusOptions(registry=HOST)
IN_HOST = JFrogOptions(repo_key_in_host=True)
CASES: dict[str, tuple[Format[Any], FormatOptions, bytes]] = {
    "ecr": (ECR, PLAIN, ecr_push("acme/shop", "1.2.3")),
    "ecr-cloud-event": (ECR, PLAIN, ecr_cloud_event(ecr_push("acme/shop", "1.2.3"))),
    "ecr-sns": (ECR, PLAIN, sns_notification(ecr_push("acme/shop", "1.2.3"))),
    "ecr-handshake": (ECR, PLAIN, sns_subscription("SubscriptionConfirmation")),
    "google": (GOOGLE, PLAIN, google_push(IMAGE, "1.2.3")),
    "google-unwrapped": (GOOGLE, PLAIN, google_change(IMAGE, "1.2.3")),
    "jfrog": (JFROG, JFrogOptions(), jfrog_push(HOST, "acme", "shop", "1.2.3")),
    "jfrog-subdomain": (JFROG, IN_HOST, jfrog_push(HOST, "acme", "shop", "1.2.3")),
    "nexus": (NEXUS, AT_HOST, nexus_push("acme/shop", "1.2.3")[0]),
    "event-grid": (Azure(), PLAIN, event_grid(AZURE)[0]),
    "event-grid-cloud-event": (Azure(), PLAIN, event_grid(AZURE, cloud_events=True)[0]),
    "event-grid-validation": (Azure(), PLAIN, event_grid_validation("code")[0]),
}


HEADERS = {
    "event-grid": event_grid(AZURE)[1],
    "nexus": nexus_push("acme/shop", "1.2.3")[1],
    "azure": {"user-agent": "AzureContainerRegistry/1.0"},
}


def _check(name: str, body: bytes) -> None:
    format_, options, _ = CASES[name]
    subscription(body)
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
        assert item.reason and len(item.subject) < 1100
    assert parsed.reply is None or list(parsed.reply) == ["validationResponse"]


def _changed(data: Any, value: Any) -> Any:
    """The value with some of its fields replaced or taken away, at any depth."""
    for _ in range(data.draw(st.integers(1, 3))):
        places = _places(value)
        if not places:
            break
        container, key = data.draw(st.sampled_from(places))
        if isinstance(container, dict) and data.draw(st.booleans()):
            container.pop(key)
        else:
            container[key] = data.draw(VALUES)
    return value


@pytest.mark.parametrize("name", CASES)
@FAST
@given(body=st.binary() | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_and_json_are_parsed_or_invalid(name: str, body: bytes) -> None:
    _check(name, body)


@pytest.mark.parametrize("name", CASES)
@FAST
@given(data=st.data())
def test_a_real_body_with_fields_changed_is_parsed_or_invalid(name: str, data: Any) -> None:
    _check(name, json.dumps(_changed(data, json.loads(CASES[name][2]))).encode())


@pytest.mark.parametrize("name", CASES)
@FAST
@given(data=st.data())
def test_a_real_body_with_bytes_changed_is_parsed_or_invalid(name: str, data: Any) -> None:
    body = bytearray(CASES[name][2])
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, min(len(body), start + 8)))
    body[start:end] = data.draw(st.binary(max_size=8))
    _check(name, bytes(body))


@FAST
@given(data=st.data())
def test_a_message_in_an_envelope_with_fields_changed_is_parsed_or_invalid(data: Any) -> None:
    inner = json.dumps(_changed(data, json.loads(google_change(IMAGE, "1")))).encode()
    wrapped = {"message": {"data": base64.b64encode(inner).decode()}}
    _check("google", json.dumps(wrapped).encode())
    event = json.dumps(_changed(data, json.loads(ecr_push("shop", "1")))).encode()
    _check("ecr-sns", sns_notification(event))


@pytest.mark.parametrize("name", [*CASES, "azure"])
def test_a_call_is_claimed_by_the_one_format_that_reads_it(name: str) -> None:
    owner = CASES[name][0] if name in CASES else Azure()
    body = json.loads(CASES[name][2] if name in CASES else AZURE)
    headers = HEADERS.get(name, {})
    formats = [Azure(), ECR, GOOGLE, JFROG, NEXUS]
    claiming = [type(format_) for format_ in formats if format_.claims(body, headers)]
    assert claiming == [type(owner)]


@pytest.mark.parametrize("format_", [Azure(), ECR, GOOGLE, JFROG, NEXUS])
@FAST
@given(body=VALUES)
def test_any_value_is_claimed_or_not(format_: Format[Any], body: Any) -> None:
    assert format_.claims(body, {}) in (True, False)


@pytest.mark.parametrize("name", ["ecr", "google", "jfrog", "nexus"])
@pytest.mark.parametrize("image", ["nginx", "localhost:5000/a:2.0", "docker.io/acme/shop:1"])
def test_a_sample_of_any_image_is_a_push_of_its_tag(name: str, image: str) -> None:
    format_, options, _ = CASES[name]
    pushed = parse_image(image)
    sample = cloud_sample(name, pushed)
    assert sample is not None and sample == cloud_sample(name, pushed)
    (event,) = format_.parse(*sample, options).events
    assert event.tag == (pushed.tag or "latest")


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("ecr", "210987654321.dkr.ecr.cn-north-1.amazonaws.com.cn/acme/shop:1.2.3"),
        ("google", "eu.gcr.io/acme/shop:1.2.3"),
        ("jfrog", "acme.jfrog.io/docker-local/shop:1.2.3"),
        ("nexus", f"{HOST}/acme/shop:1.2.3"),
    ],
)
def test_a_sample_names_registry_and_repository(name: str, image: str) -> None:
    sample = cloud_sample(name, parse_image(image))
    assert sample is not None
    (event,) = CASES[name][0].parse(*sample, CASES[name][1]).events
    assert event.image.partition("@")[0] == image


def test_there_is_no_cloud_sample_of_other_formats() -> None:
    assert cloud_sample("dockerhub", parse_image("nginx")) is None
