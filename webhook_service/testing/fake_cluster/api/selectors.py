"""Label and field selectors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from webhook_service.testing.fake_cluster.api.statuses import bad_request
from webhook_service.testing.fake_cluster.objects.resources import Object, Resource

Matcher: TypeAlias = Callable[[Object], bool]

_LABEL = r"[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?"
_SET = re.compile(rf"(?P<key>{_LABEL})\s+(?P<operator>in|notin)\s*\((?P<values>[^()]*)\)")
_EQUAL = re.compile(rf"(?P<key>{_LABEL})\s*(?P<operator>==|=|!=)\s*(?P<value>[^\s=!,]*)")
_EXISTS = re.compile(rf"(?P<operator>!?)\s*(?P<key>{_LABEL})")
# A comma inside parentheses separates values, any other separates requirements.
_COMMA = re.compile(r",(?![^()]*\))")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on labels; the operators are those of ``matchExpressions``."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        if self.operator == "In":
            return labels.get(self.key) in self.values
        if self.operator == "NotIn":
            return labels.get(self.key) not in self.values
        return (self.key in labels) == (self.operator == "Exists")


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """The requirements of a ``labelSelector``.

    Raises:
        ApiError: 400, it cannot be parsed.
    """
    parts = [part.strip() for part in _COMMA.split(text)] if text.strip() else []
    return tuple(_requirement(part) for part in parts)


def _requirement(text: str) -> Requirement:
    if match := _SET.fullmatch(text):
        values = frozenset(value.strip() for value in match["values"].split(","))
        return Requirement(match["key"], "In" if match["operator"] == "in" else "NotIn", values)
    if match := _EQUAL.fullmatch(text):
        operator = "NotIn" if match["operator"] == "!=" else "In"
        return Requirement(match["key"], operator, frozenset({match["value"]}))
    if match := _EXISTS.fullmatch(text):
        return Requirement(match["key"], "DoesNotExist" if match["operator"] else "Exists")
    raise bad_request(f"unable to parse requirement: {text!r}")


def from_object(selector: Object) -> tuple[Requirement, ...]:
    """The requirements of a ``LabelSelector`` object."""
    exact = [
        Requirement(key, "In", frozenset({value}))
        for key, value in (selector.get("matchLabels") or {}).items()
    ]
    expressions = [
        Requirement(item["key"], item["operator"], frozenset(item.get("values") or ()))
        for item in selector.get("matchExpressions") or ()
    ]
    return (*exact, *expressions)


def to_text(selector: Object) -> str:
    """A ``LabelSelector`` object as a ``labelSelector``."""
    return ",".join(_text(requirement) for requirement in from_object(selector))


def _text(requirement: Requirement) -> str:
    key, values = requirement.key, ",".join(sorted(requirement.values))
    if requirement.operator == "In" and len(requirement.values) == 1:
        return f"{key}={values}"
    texts = {"Exists": key, "DoesNotExist": f"!{key}", "In": f"{key} in ({values})"}
    return texts.get(requirement.operator, f"{key} notin ({values})")


def accepts(requirements: tuple[Requirement, ...], labels: Mapping[str, str] | None) -> bool:
    return all(requirement.matches(labels or {}) for requirement in requirements)


def matcher(resource: Resource, labels: str, fields: str) -> Matcher:
    """A predicate for the query parameters ``labelSelector`` and ``fieldSelector``.

    Raises:
        ApiError: 400, one of them cannot be parsed or names an unknown field.
    """
    requirements = parse_labels(labels)
    conditions = [_condition(resource, part) for part in fields.split(",") if part]

    def matches(item: Object) -> bool:
        if not accepts(requirements, item["metadata"].get("labels")):
            return False
        return all((_field(item, path) == value) == equal for path, value, equal in conditions)

    return matches


def _condition(resource: Resource, text: str) -> tuple[str, str, bool]:
    match = re.fullmatch(r"([\w.]+)(==|=|!=)(.*)", text)
    if match is None:
        raise bad_request(f"invalid selector: {text!r}; can't understand {text!r}")
    path, operator, value = match.groups()
    if path not in ("metadata.name", "metadata.namespace", *resource.fields):
        known = '"metadata.name", "metadata.namespace"'
        raise bad_request(f'"{path}" is not a known field selector: only {known}')
    return path, value, operator != "!="


def _field(item: Object, path: str) -> str:
    value: object = item
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return "" if value is None else str(value)
