from datetime import UTC, datetime, timedelta

import pytest

from webhook_service.chores.polled import MAX_ASKED, chosen, followed
from webhook_service.match.matcher import compile_match
from webhook_service.model.receiver import Match, TagRule
from webhook_service.store.seen_tags import Sighting

NOW = datetime(2026, 11, 22, tzinfo=UTC)
TAGS = ["1.2.9", "1.10.0", "1.3.0-rc1", "2.0.0", "latest", "build-7", "build-11"]


@pytest.mark.parametrize(
    ("rule", "wanted", "passed", "ranked"),
    [
        (TagRule(policy="exact", value="9"), ["9"], [], True),
        (TagRule(policy="semver", value="^1.2"), ["1.10.0"], ["1.2.9"], True),
        (TagRule(policy="semver", value="^7"), [], [], True),
        (TagRule(policy="newer", value="number"), None, None, True),
        (TagRule(policy="glob", value="1.*"), ["1.2.9", "1.10.0", "1.3.0-rc1"], [], False),
        (TagRule(exclude=("build-*", "1.*")), ["2.0.0", "latest"], [], False),
        (TagRule(include=("build-*",), policy="newer", value="number"), ["build-11"], None, True),
    ],
)
def test_the_rule_says_what_to_follow(
    rule: TagRule, wanted: list[str] | None, passed: list[str] | None, ranked: bool
) -> None:
    found = followed(rule, compile_match(Match(tags=rule), None), TAGS)
    assert found.ranked is ranked
    assert wanted is None or list(found.wanted) == wanted
    assert passed is None or list(found.passed) == passed


def test_of_many_tags_new_ones_come_first_then_those_asked_for_the_longest_ago() -> None:
    known = {
        "recent": Sighting("sha256:1", 0, NOW),
        "old": Sighting("sha256:1", 0, NOW - timedelta(hours=1)),
        "listed": Sighting(None, 0, NOW),
    }
    assert list(chosen(["recent", "old", "listed", "new"], known)) == [
        "new",
        "listed",
        "old",
        "recent",
    ]
    assert len(chosen([str(number) for number in range(1000)], {})) == MAX_ASKED
