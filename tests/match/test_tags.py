import sys
from typing import Any

import pytest

from webhook_service.errors import InvalidConfig
from webhook_service.match.tags import exclusion_test, tag_test
from webhook_service.model.receiver import TagRule


@pytest.mark.parametrize(
    ("policy", "value", "passing", "refused"),
    [
        ("any", None, ["1.2.3", "latest"], []),
        ("exact", "1.2.3", ["1.2.3"], ["1.2.30", "1.2", "v1.2.3"]),
        ("glob", "1.*-alpine", ["1.2-alpine", "1.-alpine"], ["1.2", "2.1-alpine"]),
        ("glob", "main-[0-9]?", ["main-12"], ["main-x1", "main-1"]),
        ("semver", "^1.2", ["1.2.0", "v1.9.9"], ["2.0.0", "1.1.9", "latest", "1.3.0-rc1", "x"]),
        ("semver", ">=1.2 <2 || 3.x", ["1.2.0", "3.4.5"], ["2.0.0", "4.0.0"]),
        (
            "semver",
            ">=1.3.0-rc1",
            ["1.3.0-rc2", "1.3.0"],
            ["1.3.0-beta", "1.3.0-slim", "1.4.0-rc1"],
        ),
        ("semver", "*", ["1.2.3"], ["1.2.3-alpine", "1.2", "1.2.3.4"]),
        ("regex", r"v?1\.[0-9]+", ["1.2", "v1.30"], ["1.2.3", "x1.2", "1.2-alpine", "1.2\n"]),
        ("regex", "a|b", ["a", "b"], ["ab", "c"]),
        ("regex", "(a+)+$", ["a" * 127], ["a" * 127 + "_"]),
    ],
)
def test_policies_let_through_what_they_mean(
    policy: str, value: str | None, passing: list[str], refused: list[str]
) -> None:
    test = tag_test(TagRule(policy=policy, value=value))
    assert [tag for tag in passing if not test(tag)] == []
    assert [tag for tag in refused if test(tag)] == []


@pytest.mark.parametrize(
    ("policy", "value", "problem"),
    [
        ("magic", None, "not one of: any, exact, glob, newer, regex, semver"),
        ("any", "1.2", "takes no value"),
        ("exact", None, "Invalid tag"),
        ("exact", "-x", "Invalid tag -x, tag length must be < 128"),
        ("glob", None, "needs a pattern"),
        ("glob", "*" * 9, "at most 8"),
        ("semver", "newest", "no semver range"),
        ("semver", None, "no semver range"),
        ("semver", "^1.2 -alpine", "as the variant alpine"),
        ("regex", None, "as RE2 reads it"),
        ("regex", "(", "as RE2 reads it"),
        ("regex", r"(a)\1", "no lookaround"),
        ("regex", "(?=a)", "no lookaround"),
        ("regex", "((a{100}){100}){100}", "counts too much"),
        ("regex", r"(?i)\pL{1,30}", "counts too much"),
    ],
)
def test_a_rule_that_cannot_work_says_what_to_write(
    policy: str, value: str | None, problem: str
) -> None:
    with pytest.raises(InvalidConfig, match=problem):
        tag_test(TagRule(policy=policy, value=value))


@pytest.mark.parametrize(
    ("fields", "passing", "refused"),
    [
        (
            {"variant": "alpine3.19"},
            ["1.2.0-alpine3.19", "v1.3.0-alpine3.19"],
            [
                "1.2.0",
                "1.2.0-alpine3.20",
                "1.2.0-alpine",
                "2.0.0-alpine3.19",
                "1.3.0-rc1-alpine3.19",
            ],
        ),
        (
            {"preReleases": True},
            ["1.3.0-rc1", "1.3.0-beta.2", "1.3.0"],
            ["2.0.0-rc1", "1.3.0-alpine", "1.3.0-rc1-alpine"],
        ),
        ({"preReleases": True, "variant": "alpine"}, ["1.3.0-rc1-alpine"], ["1.3.0-rc1"]),
        ({"include": ["1.3.*", "1.4.*"]}, ["1.3.1", "1.4.0"], ["1.5.0", "2.0.0"]),
    ],
)
def test_versions_are_narrowed_by_the_fields_beside_the_range(
    fields: dict[str, Any], passing: list[str], refused: list[str]
) -> None:
    test = tag_test(TagRule.model_validate({"policy": "semver", "value": "^1.2", **fields}))
    assert [tag for tag in passing if not test(tag)] == []
    assert [tag for tag in refused if test(tag)] == []


def test_an_excluded_tag_fits_one_of_the_globs() -> None:
    excluded = exclusion_test(TagRule(exclude=("latest", "*-debug")))
    assert excluded("latest") and excluded("1.2-debug")
    assert not excluded("1.2.3") and not exclusion_test(TagRule())("latest")


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"variant": "alpine"}, "are for semver and newer"),
        ({"preReleases": True}, "are for semver and newer"),
        ({"policy": "semver", "value": "*", "variant": "-x"}, "variant is what follows"),
        ({"policy": "semver", "value": "*", "variant": ""}, "variant is what follows"),
        ({"include": [""]}, "include: a pattern has"),
        ({"include": ["*" * 9]}, "at most 8"),
        ({"include": ["x" * 257]}, "include: a pattern has"),
    ],
)
def test_fields_that_cannot_work_are_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidConfig, match=problem):
        tag_test(TagRule.model_validate(fields))


def test_an_exclusion_that_cannot_work_is_refused() -> None:
    with pytest.raises(InvalidConfig, match=r"match\.tags\.exclude"):
        exclusion_test(TagRule(exclude=("",)))


def test_without_re2_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)
    with pytest.raises(InvalidConfig, match=r"webhook-service\[regex\]"):
        tag_test(TagRule(policy="regex", value="a"))
