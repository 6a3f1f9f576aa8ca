import pytest

from webhook_service.driver import PushEvent
from webhook_service.match.matcher import compile_match
from webhook_service.receiver import Match, TagRule

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


def test_a_push_within_all_rules_passes_and_is_named() -> None:
    matcher = compile_match(RULES, "docker.io")
    assert matcher.refusal(EVENT) is None
    assert matcher.names(EVENT)


def test_without_a_repository_rule_everything_passes_and_nothing_is_named() -> None:
    matcher = compile_match(Match(), None)
    assert matcher.refusal(EVENT) is None
    assert not matcher.names(EVENT)
