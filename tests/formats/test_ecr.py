"""ECR: three ways of one event, and a host that follows from account and region."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

import pytest

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.ecr import Ecr
from webhook_service.formats.format import Dropped, FormatOptions, Parsed
from webhook_service.model.delivery import Reason
from webhook_service.testing.samples_cloud import (
    ecr_cloud_event,
    ecr_push,
    sns_notification,
    sns_subscription,
)

DIGEST = "sha256:" + "ab" * 32
HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
PUSH = ecr_push("team/shop", "1.2.3", DIGEST)


def _parse(body: Any, registry: str | None = None) -> Parsed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Ecr().parse(raw, {}, FormatOptions(registry=registry))


def _with(body: bytes, **fields: Any) -> dict[str, Any]:
    """The body with fields replaced, or taken away by ``None``."""
    whole = json.loads(body) | {key.replace("_", "-"): value for key, value in fields.items()}
    return {key: value for key, value in whole.items() if value is not None}


def test_eventbridges_event_becomes_one_push() -> None:
    assert _parse(PUSH) == Parsed(
        events=(
            PushEvent(
                registry=HOST,
                repository="team/shop",
                tag="1.2.3",
                digest=DIGEST,
                media_type=MANIFEST,
                pushed_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
                source_id=json.loads(PUSH)["id"],
            ),
        )
    )


def test_the_transformed_cloud_event_becomes_one_push() -> None:
    (event,) = _parse(ecr_cloud_event(PUSH)).events
    assert event.image == f"{HOST}/team/shop:1.2.3@{DIGEST}"
    assert event.pushed_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    source = "urn:aws:ecr:us-east-1:123456789012:repository/team/shop"
    assert event.source_id == f"{source} {json.loads(PUSH)['id']}"


@pytest.mark.parametrize("inner", [PUSH, ecr_cloud_event(PUSH)])
def test_the_detour_over_sns_changes_nothing(inner: bytes) -> None:
    assert _parse(sns_notification(inner)) == _parse(inner)


def test_the_envelopes_id_stands_in_for_a_missing_one() -> None:
    envelope = sns_notification(json.dumps(_with(PUSH, id=None)).encode())
    (event,) = _parse(envelope).events
    assert event.source_id == json.loads(envelope)["MessageId"]


@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_a_confirmation_of_sns_is_a_handshake(
    kind: Literal["SubscriptionConfirmation", "UnsubscribeConfirmation"],
) -> None:
    assert _parse(sns_subscription(kind)) == Parsed(dropped=(Dropped(kind, Reason.HANDSHAKE),))


@pytest.mark.parametrize(
    ("region", "domain"),
    [
        ("eu-west-1", "amazonaws.com"),
        ("us-gov-west-1", "amazonaws.com"),
        ("ap-southeast-2", "amazonaws.com"),
        ("cn-north-1", "amazonaws.com.cn"),
        ("cn-northwest-1", "amazonaws.com.cn"),
        ("eusc-de-east-1", "amazonaws.eu"),
        ("us-iso-east-1", "c2s.ic.gov"),
        ("us-isob-east-1", "sc2s.sgov.gov"),
    ],
)
@pytest.mark.parametrize("form", [bytes, ecr_cloud_event])
def test_the_host_follows_from_account_and_region(
    form: Callable[[bytes], bytes], region: str, domain: str
) -> None:
    (event,) = _parse(form(ecr_push("shop", "1", region=region))).events
    assert event.registry == f"123456789012.dkr.ecr.{region}.{domain}"


@pytest.mark.parametrize("form", [bytes, ecr_cloud_event])
@pytest.mark.parametrize(
    ("account", "region"),
    [
        ("123", "us-east-1"),
        ("evil.example", "us-east-1"),
        ("evil.example/1", "us-east-1"),
        ("1234567890123", "us-east-1"),
        ("١" * 12, "us-east-1"),
        ("123456789012", "evil.example"),
        ("123456789012", "us-east-1.evil.example"),
        ("123456789012", "us-east-1\n"),
        ("123456789012", "US-EAST-1"),
        ("123456789012", "-east-1"),
        ("123456789012", "cn-" + "a" * 60 + "-1"),
    ],
)
def test_what_would_change_the_host_is_invalid(
    form: Callable[[bytes], bytes], account: str, region: str
) -> None:
    with pytest.raises(InvalidPayload):
        _parse(form(ecr_push("shop", "1", account=account, region=region)))


def test_the_registry_option_wins() -> None:
    (event,) = _parse(PUSH, registry="ecr.acme.example").events
    assert event.reference.name == "ecr.acme.example/team/shop"


@pytest.mark.parametrize("tag", ["", None, DIGEST])
def test_a_push_without_tag_is_dropped(tag: str | None) -> None:
    dropped = Dropped(f"{HOST}/shop@{DIGEST}", Reason.UNTAGGED)
    assert _parse(ecr_push("shop", tag, DIGEST)).dropped == (dropped,)
    if tag is not None:
        assert _parse(ecr_cloud_event(ecr_push("shop", tag, DIGEST))).dropped == (dropped,)


@pytest.mark.parametrize(
    "detail",
    [
        {"manifest_media_type": INDEX, "artifact_media_type": ""},
        {"manifest_media_type": INDEX, "artifact_media_type": INDEX},
        {"manifest_media_type": None, "artifact_media_type": None},
        {
            "manifest_media_type": "application/vnd.docker.distribution.manifest.v2+json",
            "artifact_media_type": "application/vnd.docker.container.image.v1+json",
        },
    ],
)
def test_every_kind_of_image_is_taken(detail: dict[str, Any]) -> None:
    assert len(_parse(ecr_push("shop", "1", **detail)).events) == 1


@pytest.mark.parametrize(
    "detail",
    [
        {"artifact_media_type": "application/vnd.cncf.helm.config.v1+json"},
        {"artifact_media_type": "application/vnd.amazon.soci.index.v1+json"},
        {"artifact_media_type": "application/vnd.oci.empty.v1+json"},
        {"manifest_media_type": "application/vnd.oci.artifact.manifest.v1+json"},
    ],
)
def test_other_artifacts_are_no_images(detail: dict[str, Any]) -> None:
    assert _parse(ecr_push("shop", "1", **detail)).dropped == (
        Dropped("PUSH shop:1", Reason.NOT_AN_IMAGE),
    )


@pytest.mark.parametrize(
    ("body", "subject"),
    [
        (ecr_push("shop", "1", action_type="DELETE"), "DELETE shop:1"),
        (ecr_push("shop", None, DIGEST, action_type="DELETE"), f"DELETE shop@{DIGEST}"),
        (ecr_push("shop", "1", result="FAILURE"), "PUSH shop:1"),
        (_with(PUSH, detail_type="ECR Image Scan"), "ECR Image Scan"),
        (_with(PUSH, detail_type="ECR Replication Action"), "ECR Replication Action"),
        (_with(PUSH, detail_type="ECR Pull Through Cache Action"), "ECR Pull Through Cache Action"),
        (_with(PUSH, source="aws.ec2", detail_type="EC2 State"), "EC2 State"),
        (
            _with(ecr_cloud_event(PUSH), type="com.amazon.ecr.image.scan"),
            "com.amazon.ecr.image.scan",
        ),
    ],
)
def test_what_is_no_push_is_dropped(body: Any, subject: str) -> None:
    assert _parse(body).dropped == (Dropped(subject, Reason.NOT_A_PUSH),)


def test_a_cloud_event_that_names_two_repositories_is_invalid() -> None:
    body = json.loads(ecr_cloud_event(PUSH))
    body["data"]["repositoryName"] = "team/other"
    with pytest.raises(InvalidPayload, match="another repository"):
        _parse(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        {"Type": "Notification"},
        sns_notification(b"no JSON"),
        sns_notification(sns_notification(PUSH)),
        _with(PUSH, source=None),
        _with(PUSH, detail=None),
        _with(PUSH, detail=[]),
        _with(PUSH, account=None),
        _with(PUSH, account=123456789012),
        _with(PUSH, region=None),
        ecr_push("no//name", "1"),
        ecr_push("shop", "a b"),
        ecr_push("shop", "1", "sha256:no"),
        ecr_push("shop", "1", image_tag=["1"]),
        ecr_push("shop", "1", artifact_media_type=5),
        _with(ecr_cloud_event(PUSH), source=None),
        _with(ecr_cloud_event(PUSH), source="https://registry.example"),
        _with(ecr_cloud_event(PUSH), source="urn:aws:s3:us-east-1:123456789012:repository/shop"),
        _with(ecr_cloud_event(PUSH), type=None),
        _with(ecr_cloud_event(PUSH), data=None),
    ],
)
def test_what_is_no_such_event_is_invalid(body: Any) -> None:
    with pytest.raises(InvalidPayload):
        _parse(body)
