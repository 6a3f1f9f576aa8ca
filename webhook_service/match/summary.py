"""The rules of a receiver in a few words each, for people."""

from __future__ import annotations

from collections.abc import Iterator

from webhook_service.model.receiver import Match


def rules_of(match: Match) -> Iterator[tuple[str, str]]:
    """Names and values, in the order in which they are looked at; as they are now."""
    yield "repository", ", ".join(match.repositories) or "what the target runs"
    tags = match.tags
    policy = tags.policy if tags.value is None else f"{tags.policy} {tags.value}"
    yield "tag", ", ".join([policy, *tags.include]) + (" with pre-releases" * tags.pre_releases)
    if tags.exclude:
        yield "not the tags", ", ".join(tags.exclude)
    if match.digests == "required":
        yield "digest", "required"
    if match.when is not None:
        yield "filter", match.when
