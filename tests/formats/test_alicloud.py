"""Alibaba Cloud's trigger: the registry follows from region and address, or from the receiver."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.alicloud import AliCloud, AliCloudOptions
from webhook_service.formats.format import Dropped, Parsed
from webhook_service.model.delivery import Reason
from webhook_service.testing.samples import alicloud_push, dockerhub_push

DIGEST = "sha256:" + "ab" * 32
ENTERPRISE = "acme-registry.cn-hangzhou.cr.aliyuncs.com"


def _parse(body: Any, **options: Any) -> Parsed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return AliCloud().parse(raw, {}, AliCloudOptions.model_validate(options))


def _body(repository: dict[str, Any] | None = None, **push: Any) -> dict[str, Any]:
    whole = {"repo_full_name": "acme/shop", "region": "cn-beijing"} | (repository or {})
    return {
        "push_data": {"tag": "1.2.3", **push},
        "repository": {key: value for key, value in whole.items() if value is not None},
    }


def test_a_push_becomes_one_event() -> None:
    assert _parse(alicloud_push("acme/shop", "1.2.3", DIGEST)) == Parsed(
        events=(
            PushEvent(
                registry="registry.cn-hangzhou.aliyuncs.com",
                repository="acme/shop",
                tag="1.2.3",
                digest=DIGEST,
                pushed_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            ),
        )
    )


@pytest.mark.parametrize("address", ["registry", "registry-internal", "registry-vpc"])
def test_the_address_type_is_the_first_part_of_the_host(address: str) -> None:
    (event,) = _parse(_body(), addressType=address).events
    assert event.registry == f"{address}.cn-beijing.aliyuncs.com"


def test_an_unknown_address_type_is_refused() -> None:
    with pytest.raises(ValidationError):
        AliCloudOptions.model_validate({"addressType": "registry-evil"})


@pytest.mark.parametrize("region", [None, "cn-beijing", "not a region"])
def test_the_enterprise_host_comes_from_the_receiver(region: str | None) -> None:
    (event,) = _parse(_body({"region": region}), registry=ENTERPRISE).events
    assert event.reference.name == f"{ENTERPRISE}/acme/shop"


def test_a_body_without_region_asks_for_the_registry_option() -> None:
    with pytest.raises(InvalidPayload, match="set the receiver's `registry` option"):
        _parse(_body({"region": None}))


@pytest.mark.parametrize(
    "region",
    ["", "evil.example/x", "a.b", "cn-beijing\n", "CN", "-x", "cn_x", "x" * 64, 5, "a/../b"],
)
def test_a_region_that_would_change_the_host_is_invalid(region: Any) -> None:
    with pytest.raises(InvalidPayload, match="region"):
        _parse(_body({"region": region}))


def test_namespace_and_name_stand_in_for_a_missing_full_name() -> None:
    names = {"repo_full_name": None, "namespace": "acme", "name": "shop"}
    (event,) = _parse(_body(names)).events
    assert event.repository == "acme/shop"


@pytest.mark.parametrize("options", [{}, {"registry": ENTERPRISE}])
def test_docker_hubs_body_is_told_apart(options: dict[str, str]) -> None:
    with pytest.raises(InvalidPayload, match="Docker Hub"):
        _parse(dockerhub_push("acme/shop", "1.2.3"), **options)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        {},
        {"push_data": {"tag": "1"}},
        {"repository": {}},
        {"push_data": [], "repository": {}},
        _body({"repo_full_name": None}),
        _body({"repo_full_name": None, "namespace": "acme"}),
        _body({"repo_full_name": 5}),
        _body({"repo_full_name": "a//b"}),
        _body({"repo_full_name": "acme/shop:1"}),
        _body(tag=5),
        _body(tag="a b"),
        _body(digest="sha256:no"),
        _body(digest=5),
    ],
)
def test_what_is_no_such_push_is_invalid(body: Any) -> None:
    with pytest.raises(InvalidPayload):
        _parse(body)


@pytest.mark.parametrize("tag", [None, "", DIGEST])
def test_a_push_without_tag_is_dropped(tag: str | None) -> None:
    subject = f"registry.cn-beijing.aliyuncs.com/acme/shop@{DIGEST}"
    assert _parse(_body(tag=tag, digest=DIGEST)).dropped == (Dropped(subject, Reason.UNTAGGED),)


@pytest.mark.parametrize("digest", [None, ""])
def test_a_push_without_digest_has_none(digest: str | None) -> None:
    (event,) = _parse(_body(digest=digest)).events
    assert event.digest is None


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-01-02 11:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02 03:04:05", datetime(2026, 1, 1, 19, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("1970-01-01 00:00:00", None),
        ("0001-01-01 00:00:00", None),
        ("2026-02-30 00:00:00", None),
        ("", None),
        (1767323045, None),
        (None, None),
    ],
)
def test_a_time_is_beijings_unless_it_says_otherwise(written: Any, moment: datetime | None) -> None:
    (event,) = _parse(_body(pushed_at=written)).events
    assert event.pushed_at == moment
