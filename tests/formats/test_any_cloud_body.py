"""Whatever the body, the clouds' formats answer ``Parsed`` or ``InvalidPayload`` too."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.anything import (
    FAST,
    VALUES,
    assert_parsed_or_invalid,
    changed,
    with_bytes_changed,
)
from webhook_service.formats.azure import Azure
from webhook_service.formats.cloudsmith import Cloudsmith, CloudsmithOptions
from webhook_service.formats.ecr import Ecr
from webhook_service.formats.format import Format, FormatOptions
from webhook_service.formats.google import Google
from webhook_service.formats.jfrog import JFrog, JFrogOptions
from webhook_service.formats.nexus import Nexus, NexusOptions
from webhook_service.formats.reading.sns import subscription
from webhook_service.formats.zot import Zot
from webhook_service.images import parse_image
from webhook_service.testing.samples import azure_push
from webhook_service.testing.samples_cloud import (
    cloud_sample,
    cloudsmith_push,
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
    zot_push,
)

HOST = "registry.example:5000"
IMAGE = f"{HOST}/acme/shop"
AZURE = azure_push("acme.azurecr.io", "shop", "1.2.3")
ECR, GOOGLE, JFROG, NEXUS = Ecr(), Google(), JFrog(), Nexus()
CLOUDSMITH, ZOT = Cloudsmith(), Zot()
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
    "cloudsmith": (
        CLOUDSMITH,
        CloudsmithOptions(),
        cloudsmith_push("acme/prod/shop", "1.2.3"),
    ),
    "zot": (ZOT, FormatOptions(registry=HOST), zot_push("acme/shop", "1.2.3")[0]),
    "event-grid": (Azure(), PLAIN, event_grid(AZURE)[0]),
    "event-grid-cloud-event": (Azure(), PLAIN, event_grid(AZURE, cloud_events=True)[0]),
    "event-grid-validation": (Azure(), PLAIN, event_grid_validation("code")[0]),
}


HEADERS = {
    "event-grid": event_grid(AZURE)[1],
    "nexus": nexus_push("acme/shop", "1.2.3")[1],
    "zot": zot_push("acme/shop", "1.2.3")[1],
    "azure": {"user-agent": "AzureContainerRegistry/1.0"},
}


def check_body(name: str, body: bytes) -> None:
    format_, options, _ = CASES[name]
    subscription(body)
    assert_parsed_or_invalid(format_, options, body)


@pytest.mark.parametrize("name", CASES)
@FAST
@given(body=st.binary() | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_and_json_are_parsed_or_invalid(name: str, body: bytes) -> None:
    check_body(name, body)


@pytest.mark.parametrize("name", CASES)
@FAST
@given(data=st.data())
def test_a_real_body_with_fields_changed_is_parsed_or_invalid(name: str, data: Any) -> None:
    check_body(name, json.dumps(changed(data, json.loads(CASES[name][2]))).encode())


@pytest.mark.parametrize("name", CASES)
@FAST
@given(data=st.data())
def test_a_real_body_with_bytes_changed_is_parsed_or_invalid(name: str, data: Any) -> None:
    check_body(name, with_bytes_changed(data, CASES[name][2]))


@FAST
@given(data=st.data())
def test_a_message_in_an_envelope_with_fields_changed_is_parsed_or_invalid(data: Any) -> None:
    inner = json.dumps(changed(data, json.loads(google_change(IMAGE, "1")))).encode()
    wrapped = {"message": {"data": base64.b64encode(inner).decode()}}
    check_body("google", json.dumps(wrapped).encode())
    event = json.dumps(changed(data, json.loads(ecr_push("shop", "1")))).encode()
    check_body("ecr-sns", sns_notification(event))


@pytest.mark.parametrize("name", [*CASES, "azure"])
def test_a_call_is_claimed_by_the_one_format_that_reads_it(name: str) -> None:
    owner = CASES[name][0] if name in CASES else Azure()
    body = json.loads(CASES[name][2] if name in CASES else AZURE)
    headers = HEADERS.get(name, {})
    formats = [Azure(), ECR, GOOGLE, JFROG, NEXUS, CLOUDSMITH, ZOT]
    claiming = [type(format_) for format_ in formats if format_.claims(body, headers)]
    assert claiming == [type(owner)]


@pytest.mark.parametrize("format_", [Azure(), ECR, GOOGLE, JFROG, NEXUS, CLOUDSMITH, ZOT])
@FAST
@given(body=VALUES)
def test_any_value_is_claimed_or_not(format_: Format[Any], body: Any) -> None:
    assert format_.claims(body, {}) in (True, False)


@pytest.mark.parametrize("name", ["ecr", "google", "jfrog", "nexus", "cloudsmith", "zot"])
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
        ("cloudsmith", "docker.cloudsmith.io/acme/prod/shop:1.2.3"),
        ("zot", f"{HOST}/acme/shop:1.2.3"),
    ],
)
def test_a_sample_names_registry_and_repository(name: str, image: str) -> None:
    sample = cloud_sample(name, parse_image(image))
    assert sample is not None
    (event,) = CASES[name][0].parse(*sample, CASES[name][1]).events
    assert event.image.partition("@")[0] == image


def test_there_is_no_cloud_sample_of_other_formats() -> None:
    assert cloud_sample("dockerhub", parse_image("nginx")) is None
