"""Tag policies: ``any``, ``exact``, ``glob`` and ``semver``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

from semantic_version import NpmSpec, Version

from webhook_service.errors import InvalidConfig
from webhook_service.images import is_tag
from webhook_service.receiver import TagRule

MAX_WILDCARDS = 8
TagTest = Callable[[str], bool]


def tag_test(rule: TagRule) -> TagTest:
    """A function that says whether a tag passes the rule.

    Raises:
        InvalidConfig: an unknown policy, or a value that the policy cannot use.
    """
    policy = _POLICIES.get(rule.policy)
    if policy is None:
        known = ", ".join(sorted(_POLICIES))
        raise InvalidConfig(f"match.tags.policy {rule.policy[:100]!r} is not one of: {known}.")
    return policy(rule.value)


def _any(value: str | None) -> TagTest:
    if value is not None:
        raise InvalidConfig("match.tags: the policy any takes no value.")
    return lambda tag: True


def _exact(value: str | None) -> TagTest:
    if value is None or not is_tag(value):
        raise InvalidConfig(
            f"Invalid tag {value or ''}, tag length must be < 128, must contain [a-zA-Z0-9.-_] "
            "characters only, cannot start with '.' or '-'"
        )
    return lambda tag: tag == value


def _glob(value: str | None) -> TagTest:
    if not value or value.count("*") > MAX_WILDCARDS:
        raise InvalidConfig(
            f"match.tags: the policy glob needs a pattern with at most {MAX_WILDCARDS} '*', "
            "such as 1.*-alpine."
        )
    return lambda tag: fnmatchcase(tag, value)


def _semver(value: str | None) -> TagTest:
    """Ranges by npm's grammar, https://github.com/npm/node-semver#ranges; one leading v is free."""
    try:
        spec = NpmSpec(value or "none")
    except ValueError as exc:
        raise InvalidConfig(
            f"match.tags: {value!r} is no semver range; write it as npm does: ^1.2, ~1.2.3, "
            ">=1.2 <2."
        ) from exc

    def test(tag: str) -> bool:
        try:
            version = Version(tag.removeprefix("v"))
        except ValueError:
            return False
        return bool(spec.match(version))

    return test


_POLICIES: Mapping[str, Callable[[str | None], TagTest]] = {
    "any": _any,
    "exact": _exact,
    "glob": _glob,
    "semver": _semver,
}
