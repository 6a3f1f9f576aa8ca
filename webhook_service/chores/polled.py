"""Which tags of a repository a receiver follows, and which of them to ask for now. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from webhook_service.match.highest import highest
from webhook_service.match.matcher import Matcher
from webhook_service.model.receiver import TagRule
from webhook_service.store.seen_tags import Sighting

# Of one repository in one look; of more tags the rest is asked for in the next ones.
MAX_ASKED = 50


@dataclass(frozen=True, slots=True)
class Followed:
    """The tags that a receiver would deploy.

    Attributes:
        wanted: its own tag, or the greatest ones, or all that pass.
        passed: those that its rules let through, but a greater one comes first.
        ranked: whether the rules say which tag is to run, so that no push time is needed.
    """

    wanted: Sequence[str]
    passed: Sequence[str] = ()
    ranked: bool = True


def followed(rule: TagRule, matcher: Matcher, listed: Sequence[str]) -> Followed:
    """What to follow.

    Args:
        listed: the repository's tags; an exact rule needs none.
    """
    if rule.policy == "exact":
        return Followed([rule.value or ""])
    passing = [tag for tag in listed if matcher.tag_passes(tag) and not matcher.tag_excluded(tag)]
    best = highest(rule, passing)
    if best is passing:
        return Followed(passing, ranked=False)
    return Followed(best, [tag for tag in passing if tag not in best])


def chosen(tags: Sequence[str], known: Mapping[str, Sighting]) -> Sequence[str]:
    """Tags never seen come first, then those not asked for yet, then the longest ago."""

    def age(tag: str) -> tuple[int, float]:
        sighting = known.get(tag)
        if sighting is None:
            return 0, 0.0
        return 1 + (sighting.digest is not None), sighting.looked.timestamp()

    return sorted(tags, key=age)[:MAX_ASKED]
