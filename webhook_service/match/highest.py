"""The greatest tags of a list, where the receiver's policy can tell which those are."""

from __future__ import annotations

from collections.abc import Sequence

from webhook_service.match.newer import RANKINGS, Rank, rank
from webhook_service.model.receiver import TagRule


def highest(rule: TagRule, tags: Sequence[str]) -> Sequence[str]:
    """The greatest tag of each kind (variant, text around a number); all, if tags have no order.

    Args:
        tags: those that pass the rule.
    """
    if rule.policy not in ("semver", "newer"):
        return tags
    name = "semver" if rule.policy == "semver" else rule.value or ""
    variant = None if name == "semver" else rule.variant
    best: dict[tuple[str, ...], tuple[Rank, str]] = {}
    for tag in tags:
        found = rank(tag, RANKINGS[name], variant)
        if found is None:
            continue
        known = best.get(found.kind)
        if known is None or found.value > known[0].value:
            best[found.kind] = (found, tag)
    return [tag for _, tag in best.values()]
