"""Which pods a workload's ``spec.selector`` means: as the API takes it, and by labels. Pure.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#resources-that-support-set-based-requirements
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from webhook_drivers.kubernetes.api.resources import Json

NONE: Mapping[str, str] = {}


def of(workload: Json) -> Json:
    """The selector of a live workload; empty for a kind that has none."""
    spec = workload.get("spec")
    selector = spec.get("selector") if isinstance(spec, dict) else None
    return selector if isinstance(selector, dict) else {}


def as_text(selector: Json, more: Mapping[str, str] = NONE, *, without: str = "") -> str:
    """The same as a ``labelSelector``; empty if it says nothing.

    Args:
        more: labels that the pods must have too.
        without: a label that they must not have.
    """
    exact = {**(selector.get("matchLabels") or {}), **more}
    parts = [f"{key}={value}" for key, value in sorted(exact.items())]
    parts += [_requirement(item) for item in selector.get("matchExpressions") or ()]
    return ",".join([*parts, f"!{without}"] if without else parts)


def accepts(selector: Json, labels: Mapping[str, Any]) -> bool:
    """Whether pods with these labels are meant."""
    return all(_checks(selector, labels))


def _checks(selector: Json, labels: Mapping[str, Any]) -> Iterator[bool]:
    for key, value in (selector.get("matchLabels") or {}).items():
        yield labels.get(key) == value
    for item in selector.get("matchExpressions") or ():
        key, values = item.get("key"), item.get("values") or ()
        match item.get("operator"):
            case "In":
                yield labels.get(key) in values
            case "NotIn":
                yield labels.get(key) not in values
            case "Exists":
                yield key in labels
            case _:
                yield key not in labels


def _requirement(item: Json) -> str:
    key, values = item.get("key"), ",".join(item.get("values") or ())
    said = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": f"{key}"}
    return said.get(str(item.get("operator")), f"!{key}")
