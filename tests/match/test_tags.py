import pytest

from webhook_service.errors import InvalidConfig
from webhook_service.match.tags import tag_test
from webhook_service.receiver import TagRule


@pytest.mark.parametrize(
    ("policy", "value", "passing", "refused"),
    [
        ("any", None, ["1.2.3", "latest"], []),
        ("exact", "1.2.3", ["1.2.3"], ["1.2.30", "1.2", "v1.2.3"]),
        ("glob", "1.*-alpine", ["1.2-alpine", "1.-alpine"], ["1.2", "2.1-alpine"]),
        ("glob", "main-[0-9]?", ["main-12"], ["main-x1", "main-1"]),
        ("semver", "^1.2", ["1.2.0", "v1.9.9"], ["2.0.0", "1.1.9", "latest", "1.3.0-rc1", "x"]),
        ("semver", ">=1.2 <2 || 3.x", ["1.2.0", "3.4.5"], ["2.0.0", "4.0.0"]),
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
        ("magic", None, "not one of: any, exact, glob, semver"),
        ("any", "1.2", "takes no value"),
        ("exact", None, "Invalid tag"),
        ("exact", "-x", "Invalid tag -x, tag length must be < 128"),
        ("glob", None, "needs a pattern"),
        ("glob", "*" * 9, "at most 8"),
        ("semver", "newest", "no semver range"),
        ("semver", None, "no semver range"),
    ],
)
def test_a_rule_that_cannot_work_says_what_to_write(
    policy: str, value: str | None, problem: str
) -> None:
    with pytest.raises(InvalidConfig, match=problem):
        tag_test(TagRule(policy=policy, value=value))
