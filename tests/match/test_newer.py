"""Which tag is newer: by version, date or number, and None where there is no answer."""

import pytest

from webhook_service.errors import InvalidConfig
from webhook_service.match.newer import RANKINGS, is_newer
from webhook_service.match.tags import newer_test, tag_test
from webhook_service.match.versions import read_version
from webhook_service.model.receiver import TagRule


@pytest.mark.parametrize(
    ("scheme", "tag", "running", "answer"),
    [
        ("semver", "1.10.0", "1.9.0", True),
        ("semver", "v1.10.0", "1.9.0", True),
        ("semver", "1.9.0", "1.9.0", False),
        ("semver", "1.9.0", "1.10.0", False),
        ("semver", "1.9.0", "1.9.0-rc1", True),
        ("semver", "1.9.0-rc1", "1.9.0", False),
        ("semver", "1.9.0-rc.2", "1.9.0-rc.1", True),
        ("semver", "1.2.4-alpine3.19", "1.2.3-alpine3.19", True),
        ("semver", "1.2.4-alpine3.20", "1.2.3-alpine3.19", None),
        ("semver", "1.2.4-alpine", "1.2.3", None),
        ("semver", "1.2.4-rc1-alpine", "1.2.3-alpine", True),
        ("semver", "1.2", "1.1.0", None),
        ("semver", "1.2.3", "latest", None),
        ("semver", "2026.01.05", "2026.01.04", None),
        ("date", "2026.01.05", "2026.01.04", True),
        ("date", "2026.1.5", "2026.01.04", True),
        ("date", "20260105", "20251231", True),
        ("date", "20260105-1530", "20260105-0900", True),
        ("date", "20260105-1530", "20260105", True),
        ("date", "2026-01-05T10-11-12Z", "2026-01-05T10-11", True),
        ("date", "20260105153001", "20260105153000", True),
        ("date", "2026.01.05-2", "2026.01.05-1", True),
        ("date", "2026.01.05-2", "2026.01.05-10", False),
        ("date", "main-20260105", "main-20260104", True),
        ("date", "main-20260105", "dev-20260104", None),
        ("date", "20260105-alpine", "20260104-alpine", True),
        ("date", "20260105-alpine", "20260104", None),
        ("date", "20260230", "20260104", None),
        ("date", "20260105-9930", "20260104", None),
        ("date", "1767323045", "1767323044", None),
        ("date", "17671011", "17671010", None),
        ("date", "2026115", "20260104", None),
        ("date", "latest", "20260104", None),
        ("number", "412", "99", True),
        ("number", "0412", "412", False),
        ("number", "build-412", "build-99", True),
        ("number", "build-99", "build-412", False),
        ("number", "v412", "build-99", None),
        ("number", "latest", "99", None),
        ("number", "9" * 128, "9" * 127, True),
    ],
)
def test_tags_are_compared(scheme: str, tag: str, running: str, answer: bool | None) -> None:
    assert is_newer(tag, running, RANKINGS[scheme]) is answer
    if answer:
        assert is_newer(running, tag, RANKINGS[scheme]) is False


@pytest.mark.parametrize(
    ("tag", "running", "answer"),
    [
        ("build-412-amd64", "build-99-amd64", True),
        ("build-412-amd64", "build-99-arm64", None),
        ("build-412", "build-99-amd64", None),
    ],
)
def test_a_variant_is_cut_off_both_tags(tag: str, running: str, answer: bool | None) -> None:
    rule = TagRule(policy="newer", value="number", variant="amd64")
    compare = newer_test(rule)
    assert compare is not None and compare(tag, running) is answer


@pytest.mark.parametrize(
    ("rule", "passing", "refused"),
    [
        ({"value": "semver"}, ["1.2.3", "1.2.3-alpine"], ["1.2.3-rc1", "1.2", "latest"]),
        ({"value": "semver", "preReleases": True}, ["1.2.3-rc1", "1.2.3-rc1-alpine"], ["x"]),
        ({"value": "semver", "variant": "alpine"}, ["1.2.3-alpine"], ["1.2.3", "1.2.3-slim"]),
        ({"value": "date"}, ["2026.01.05", "main-20260105"], ["latest", "1.2.3"]),
        ({"value": "number"}, ["1", "build-2"], ["latest"]),
        ({"value": "number", "variant": "amd64"}, ["1-amd64"], ["1", "amd64", "x-amd64"]),
    ],
)
def test_only_tags_that_can_be_compared_pass(
    rule: dict[str, object], passing: list[str], refused: list[str]
) -> None:
    test = tag_test(TagRule.model_validate({"policy": "newer", **rule}))
    assert [tag for tag in passing if not test(tag)] == []
    assert [tag for tag in refused if test(tag)] == []


def test_other_policies_do_not_look_at_the_running_tag() -> None:
    assert newer_test(TagRule(policy="semver", value="^1")) is None


@pytest.mark.parametrize(
    "rule",
    [
        TagRule(policy="newer"),
        TagRule(policy="newer", value="age"),
        TagRule(policy="newer", value="date", pre_releases=True),
    ],
)
def test_a_rule_that_cannot_work_is_refused(rule: TagRule) -> None:
    with pytest.raises(InvalidConfig, match=r"match\.tags"):
        tag_test(rule)


@pytest.mark.parametrize(
    ("tag", "version", "variant"),
    [
        ("1.2.3", "1.2.3", ""),
        ("v1.2.3", "1.2.3", ""),
        ("1.2.3-rc1", "1.2.3-rc1", ""),
        ("1.2.3-RC.1", "1.2.3-RC.1", ""),
        ("1.2.3-beta", "1.2.3-beta", ""),
        ("1.2.3-beta-2", "1.2.3-beta-2", ""),
        ("1.2.3-5", "1.2.3-5", ""),
        ("1.2.3-alpine3.19", "1.2.3", "alpine3.19"),
        ("1.2.3-rc1-alpine", "1.2.3-rc1", "alpine"),
        ("1.2.3-betamax", "1.2.3", "betamax"),
        ("1.2.3-slim-rc1", "1.2.3", "slim-rc1"),
    ],
)
def test_a_version_is_told_from_its_variant(tag: str, version: str, variant: str) -> None:
    found = read_version(tag)
    assert found is not None
    assert (str(found.version), found.variant) == (version, variant)


@pytest.mark.parametrize(
    "tag", ["1.2", "1", "latest", "vv1.2.3", "1.2.3.4", "01.2.3", "1.2.3-rc.01", "1.2.3-", "V1.2.3"]
)
def test_what_is_no_version_of_three_numbers_is_none(tag: str) -> None:
    assert read_version(tag) is None


@pytest.mark.parametrize("tag", ["1.2.3-rc" + "1" * 120 + "_", "1.2.3-" + "1." * 60, "1-" * 64])
def test_long_tags_are_read_or_not_without_delay(tag: str) -> None:
    read_version(tag)
    assert all(is_newer(tag, "1", ranking) is None for ranking in RANKINGS.values())
