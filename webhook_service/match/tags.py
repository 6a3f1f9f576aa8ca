"""Tag policies: ``any``, ``exact``, ``glob``, ``regex``, ``semver`` and ``newer``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from semantic_version import NpmSpec

from webhook_service.errors import InvalidConfig
from webhook_service.expressions.glob import compile_glob
from webhook_service.expressions.regex import compile_regex
from webhook_service.images import is_tag
from webhook_service.match.newer import RANKINGS, is_newer, rank
from webhook_service.match.versions import TaggedVersion, read_version
from webhook_service.model.receiver import TagRule

MAX_WILDCARDS = 8
TagTest = Callable[[str], bool]
NewerTest = Callable[[str, str], bool | None]


def tag_test(rule: TagRule) -> TagTest:
    """A function that says whether a tag passes the rule, its exclusions aside.

    Of the policy ``newer`` this is the part that needs no running tag: whether the tag can be
    compared at all.

    Raises:
        InvalidConfig: an unknown policy, or a value that the policy cannot use.
    """
    policy = _POLICIES.get(rule.policy)
    if policy is None:
        known = ", ".join(sorted(_POLICIES))
        raise InvalidConfig(f"match.tags.policy {rule.policy[:100]!r} is not one of: {known}.")
    if rule.policy not in ("semver", "newer") and (rule.variant is not None or rule.pre_releases):
        raise InvalidConfig(
            f"match.tags: variant and preReleases are for semver and newer, not {rule.policy}."
        )
    if rule.variant is not None and not is_tag(rule.variant):
        raise InvalidConfig("match.tags.variant is what follows the hyphen, such as alpine3.19.")
    passes = policy(rule)
    if not rule.include:
        return passes
    included = any_glob(rule.include, "match.tags.include")
    return lambda tag: included(tag) and passes(tag)


def exclusion_test(rule: TagRule) -> TagTest:
    """A function that says whether a tag is excluded.

    Raises:
        InvalidConfig: a pattern cannot be used.
    """
    return any_glob(rule.exclude, "match.tags.exclude")


def newer_test(rule: TagRule) -> NewerTest | None:
    """For the policy ``newer``: a function from a tag and the running one; see ``is_newer``."""
    if rule.policy != "newer":
        return None
    ranking, variant = RANKINGS[rule.value or ""], _variant_to_cut(rule)
    return partial(is_newer, ranking=ranking, variant=variant)


def any_glob(patterns: Sequence[str], field: str) -> TagTest:
    """A function that says whether one of the patterns fits a tag.

    Raises:
        InvalidConfig: a pattern is empty, too long, or has too many wildcards.
    """
    for pattern in patterns:
        if not 0 < len(pattern) <= 256 or pattern.count("*") > MAX_WILDCARDS:
            raise InvalidConfig(
                f"{field}: a pattern has 1 to 256 characters and at most {MAX_WILDCARDS} '*'."
            )
    globs = [compile_glob(pattern) for pattern in patterns]
    return lambda tag: any(fits(tag) for fits in globs)


def _any(rule: TagRule) -> TagTest:
    if rule.value is not None:
        raise InvalidConfig("match.tags: the policy any takes no value.")
    return lambda tag: True


def _exact(rule: TagRule) -> TagTest:
    value = rule.value
    if value is None or not is_tag(value):
        raise InvalidConfig(
            f"Invalid tag {value or ''}, tag length must be < 128, must contain [a-zA-Z0-9.-_] "
            "characters only, cannot start with '.' or '-'"
        )
    return lambda tag: tag == value


def _glob(rule: TagRule) -> TagTest:
    value = rule.value
    if not value or value.count("*") > MAX_WILDCARDS:
        raise InvalidConfig(
            f"match.tags: the policy glob needs a pattern with at most {MAX_WILDCARDS} '*', "
            "such as 1.*-alpine."
        )
    return compile_glob(value)


def _regex(rule: TagRule) -> TagTest:
    """RE2, which matches in linear time whatever the pattern; it must fit the whole tag."""
    try:
        pattern = compile_regex(rule.value or "(", "regex").pattern
    except InvalidConfig as exc:
        raise InvalidConfig(f"match.tags: {exc.message}") from exc
    return lambda tag: pattern.fullmatch(tag) is not None


def _semver(rule: TagRule) -> TagTest:
    """Ranges by npm's grammar, https://github.com/npm/node-semver#ranges; one leading v is free."""
    try:
        spec = NpmSpec(rule.value or "none")
    except ValueError as exc:
        raise InvalidConfig(
            f"match.tags: {rule.value!r} is no semver range; write it as npm does: ^1.2, ~1.2.3, "
            ">=1.2 <2; and -alpine as the variant alpine."
        ) from exc

    def test(tag: str) -> bool:
        found = read_version(tag)
        if found is None or found.variant != (rule.variant or ""):
            return False
        return bool(spec.match(found.version)) or (rule.pre_releases and _leads_to(found, spec))

    return test


def _leads_to(found: TaggedVersion, spec: NpmSpec) -> bool:
    return found.is_pre_release and bool(spec.match(found.version.truncate()))


def _newer(rule: TagRule) -> TagTest:
    if rule.value is None or rule.value not in RANKINGS:
        raise InvalidConfig(
            f"match.tags: the policy newer needs what to compare by: {', '.join(RANKINGS)}."
        )
    if rule.value != "semver":
        if rule.pre_releases:
            raise InvalidConfig("match.tags.preReleases is for semantic versions only.")
        comparable = partial(rank, ranking=RANKINGS[rule.value], variant=rule.variant)
        return lambda tag: comparable(tag) is not None

    def test(tag: str) -> bool:
        found = read_version(tag)
        if found is None or (found.is_pre_release and not rule.pre_releases):
            return False
        return rule.variant is None or found.variant == rule.variant

    return test


def _variant_to_cut(rule: TagRule) -> str | None:
    """Versions tell their variant themselves, and it is compared in any case."""
    return None if rule.value == "semver" else rule.variant


_POLICIES: Mapping[str, Callable[[TagRule], TagTest]] = {
    "any": _any,
    "exact": _exact,
    "glob": _glob,
    "newer": _newer,
    "regex": _regex,
    "semver": _semver,
}
