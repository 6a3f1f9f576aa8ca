"""A receiver's rules, compiled: one answer per event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from webhook_service.driver import PushEvent
from webhook_service.expressions.cel import new_meter
from webhook_service.expressions.glob import is_pattern
from webhook_service.expressions.values import Meter
from webhook_service.images import Image
from webhook_service.match.filter import Filter, compile_filter
from webhook_service.match.mirrors import parse_mirrors
from webhook_service.match.repositories import RepositoryRule, parse_rules
from webhook_service.match.tags import NewerTest, TagTest, exclusion_test, newer_test, tag_test
from webhook_service.model.delivery import Reason
from webhook_service.model.receiver import Match
from webhook_service.model.rules.freeze import Window, compile_windows, frozen_until

CHEAP_PATTERNS = 10


@dataclass(frozen=True, slots=True)
class Matcher:
    """Decides whether an event passes, and whether the receiver names its repository.

    ``is_newer`` compares a tag with the running one, if the receiver's policy is ``newer``.
    """

    repositories: tuple[RepositoryRule, ...]
    tag_passes: TagTest
    tag_excluded: TagTest
    is_newer: NewerTest | None
    needs_digest: bool
    when: Filter | None
    windows: tuple[Window, ...]
    mirrors: Mapping[str, str] = field(default_factory=dict)

    def refusal(self, event: PushEvent, meter: Meter | None = None) -> Reason | None:
        """Why the event does not pass; None if it does.

        Args:
            meter: what the filter may cost, if it is shared by the events of a call.

        Raises:
            ExpressionFailed: the filter has no answer for this event.
        """
        if self.repositories and not any(rule.matches(event) for rule in self.repositories):
            return Reason.REPOSITORY_MISMATCH
        if event.tag is None or not self.tag_passes(event.tag):
            return Reason.TAG_MISMATCH
        if self.tag_excluded(event.tag):
            return Reason.TAG_EXCLUDED
        if self.needs_digest and event.digest is None:
            return Reason.DIGEST_MISSING
        when = self.when
        if when and not when.asks_image and not when.passes(event, meter or new_meter()):
            return Reason.FILTERED
        return None

    @property
    def asks_image(self) -> bool:
        """Whether the filter is left to when the image's registry was asked."""
        return self.when is not None and self.when.asks_image

    def names(self, event: PushEvent) -> bool:
        """Whether a rule names the event's repository, registry host included."""
        return any(rule.fixes_host and rule.matches(event) for rule in self.repositories)

    @property
    def is_cheap(self) -> bool:
        """Whether any event is decided on in well under a millisecond."""
        patterns = [rule for rule in self.repositories if is_pattern(rule.path)]
        return self.when is None and len(patterns) <= CHEAP_PATTERNS and len(self.windows) <= 1

    @property
    def fixes_hosts(self) -> bool:
        """Whether every push that passes is of a registry that the rules name."""
        return bool(self.repositories) and all(rule.fixes_host for rule in self.repositories)

    def named_images(self) -> tuple[Image, ...] | None:
        """The repositories that pass, with their registries; None if a rule is a pattern."""
        images = [rule.image() for rule in self.repositories]
        return None if None in images else tuple(image for image in images if image is not None)

    def frozen_until(self, now: datetime) -> datetime | None:
        """When the freeze that covers ``now`` ends; None if there is none."""
        return frozen_until(self.windows, now)


def compile_match(match: Match, home: str | None) -> Matcher:
    """Compile the rules.

    Args:
        home: the registry that rules without a host mean, if there is only one.

    Raises:
        InvalidConfig: a rule cannot be used; the message says which.
    """
    return Matcher(
        repositories=parse_rules(match.repositories, home),
        tag_passes=tag_test(match.tags),
        tag_excluded=exclusion_test(match.tags),
        is_newer=newer_test(match.tags),
        needs_digest=match.digests == "required",
        when=None if match.when is None else compile_filter(match.when),
        windows=compile_windows(match.freeze),
        mirrors=parse_mirrors(match.mirrors),
    )
