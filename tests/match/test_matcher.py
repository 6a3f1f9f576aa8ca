from dataclasses import replace
from datetime import UTC, datetime

import pytest

from webhook_service.driver import PushEvent
from webhook_service.match.matcher import compile_match
from webhook_service.model.receiver import Freeze, Match, TagRule

EVENT = PushEvent(registry="docker.io", repository="acme/shop", tag="1.2.3")
RULES = Match(
    repositories=("acme/shop",),
    tags=TagRule(policy="exact", value="1.2.3"),
    when="event.actor != 'bot'",
)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (EVENT, "filtered"),
        (PushEvent(registry="docker.io", repository="acme/shop", tag="2"), "tag_mismatch"),
        (PushEvent(registry="docker.io", repository="acme/shop"), "tag_mismatch"),
        (PushEvent(registry="docker.io", repository="a/b", tag="1.2.3"), "repository_mismatch"),
        (PushEvent(registry="x.example", repository="acme/shop", tag="1"), "repository_mismatch"),
    ],
)
def test_each_refusal_has_its_reason(event: PushEvent, reason: str) -> None:
    rules = RULES.model_copy(update={"when": "event.actor == 'nobody'"})
    assert compile_match(rules, "docker.io").refusal(event) == reason


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        (Match(tags=TagRule(exclude=("1.*",))), "tag_excluded"),
        (Match(tags=TagRule(include=("2.*",))), "tag_mismatch"),
        (Match(tags=TagRule(include=("2.*",), exclude=("1.*",))), "tag_mismatch"),
        (Match(digests="required"), "digest_missing"),
        (Match(digests="required", when="false"), "digest_missing"),
        (Match(tags=TagRule(policy="newer", value="semver")), None),
        (Match(tags=TagRule(policy="newer", value="date")), "tag_mismatch"),
    ],
)
def test_rules_beside_the_policy_have_reasons_of_their_own(
    rules: Match, reason: str | None
) -> None:
    assert compile_match(rules, None).refusal(EVENT) == reason


def test_a_required_digest_that_is_there_passes() -> None:
    event = replace(EVENT, digest="sha256:" + "ab" * 32)
    assert compile_match(Match(digests="required"), None).refusal(event) is None


def test_the_running_tag_is_compared_under_the_policy_newer_only() -> None:
    newer = compile_match(Match(tags=TagRule(policy="newer", value="semver")), None).is_newer
    assert newer is not None and newer("1.2.3", "1.2.2") is True
    assert compile_match(Match(), None).is_newer is None


def test_windows_are_compiled_with_the_rules() -> None:
    frozen = compile_match(Match(freeze=(Freeze(cron="0 0 * * *", minutes=60),)), None)
    now = datetime(2026, 1, 1, 0, 30, tzinfo=UTC)
    assert frozen.frozen_until(now) == datetime(2026, 1, 1, 1, tzinfo=UTC)
    assert compile_match(Match(), None).frozen_until(now) is None


def test_a_push_within_all_rules_passes_and_is_named() -> None:
    matcher = compile_match(RULES, "docker.io")
    assert matcher.refusal(EVENT) is None
    assert matcher.names(EVENT)


def test_without_a_repository_rule_everything_passes_and_nothing_is_named() -> None:
    matcher = compile_match(Match(), None)
    assert matcher.refusal(EVENT) is None
    assert not matcher.names(EVENT)
