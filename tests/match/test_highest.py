import pytest

from webhook_service.match.highest import highest
from webhook_service.model.receiver import TagRule


@pytest.mark.parametrize(
    ("rule", "tags", "best"),
    [
        (TagRule(policy="semver", value="*"), ["1.9.0", "1.10.0", "1.2.0"], ["1.10.0"]),
        (TagRule(policy="newer", value="semver"), ["v1.0.0", "2.0.0-rc1"], ["2.0.0-rc1"]),
        (
            TagRule(policy="newer", value="semver"),
            ["1.0.0", "1.1.0", "1.0.0-alpine", "1.2.0-alpine"],
            ["1.1.0", "1.2.0-alpine"],
        ),
        (TagRule(policy="newer", value="date"), ["20260105", "20260207"], ["20260207"]),
        (TagRule(policy="newer", value="number"), ["build-9", "build-11", "x"], ["build-11"]),
        (
            TagRule(policy="newer", value="number", variant="slim"),
            ["7-slim", "11-slim", "12"],
            ["11-slim"],
        ),
        (TagRule(policy="semver", value="*"), [], []),
    ],
)
def test_the_greatest_tag_of_each_kind_is_told(
    rule: TagRule, tags: list[str], best: list[str]
) -> None:
    assert highest(rule, tags) == best


def test_tags_without_an_order_all_count() -> None:
    tags = ["latest", "1.0.0"]
    assert highest(TagRule(), tags) is tags
