"""Values of an object by their paths, and the patch that changes them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from webhook_drivers.field_path import Step, steps_of
from webhook_drivers.kubernetes.api.resources import Json
from webhook_drivers.pushed import WrittenImage
from webhook_service import DriverError

PUSHED = "[{image}]"
"""At the end of a path: the text of a list that is an image of the pushed repository."""
MISSING = "field_missing"
_NOT_OURS = ("apiVersion", "kind", "metadata", "status")


def _checked(path: str) -> str:
    first = steps_of(path.removesuffix(PUSHED))[0]
    if first in _NOT_OURS:
        raise ValueError(f"{first} is not for pushes: name a field such as spec.image")
    return path


ObjectPath = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_checked)]
"""``spec.values.image.tag``, ``spec.images[name=shop].newTag``, ``spec.list[{image}]``."""


def image_in(text: str) -> str:
    """The image of a text such as ``shop=registry.example/shop:1``, as kustomize writes it."""
    return text.rpartition("=")[2]


def steps_to(obj: Json, path: str, pushed: WrittenImage) -> tuple[Step, ...]:
    """The steps of a path, with the place of the pushed image where it asks for that.

    Raises:
        DriverError: the list has no image of the pushed repository.
    """
    if not path.endswith(PUSHED):
        return steps_of(path)
    steps = steps_of(path.removesuffix(PUSHED))
    items = _followed(obj, steps)
    for place, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, str) and pushed.is_of(image_in(item)):
            return (*steps, place)
    raise DriverError(
        f"{path.removesuffix(PUSHED)} has no image of {pushed.name}: add it to the list once.",
        code=MISSING,
    )


def value_at(obj: Json, path: str, steps: Sequence[Step]) -> str:
    """The text at a path.

    Raises:
        DriverError: there is none.
    """
    found = _followed(obj, steps)
    if isinstance(found, str):
        return found
    has = "no such field" if found is None else "no text there"
    raise DriverError(
        f"{path}: it has {has}. Write the first value by hand, as a text, or correct the path.",
        code=MISSING,
    )


def with_values(obj: Json, values: Mapping[tuple[Step, ...], str]) -> Json:
    """The object with other texts at some places."""
    changed = deepcopy(obj)
    for steps, value in values.items():
        held = _followed(changed, steps[:-1])
        held[_key(held, steps[-1])] = value
    return changed


def merge_patch(before: Json, after: Json) -> Json:
    """The JSON merge patch between two objects with the same keys; lists are replaced whole.

    https://www.rfc-editor.org/rfc/rfc7396
    """
    patch: Json = {}
    for key, value in after.items():
        if isinstance(value, dict) and isinstance(before[key], dict):
            if inner := merge_patch(before[key], value):
                patch[key] = inner
        elif value != before[key]:
            patch[key] = value
    return patch


def _followed(obj: Any, steps: Sequence[Step]) -> Any:
    for step in steps:
        key = _key(obj, step)
        if key is None:
            return None
        obj = obj[key]
    return obj


def _key(held: Any, step: Step) -> Any:
    """The key or the place that a step means; None where there is none."""
    if isinstance(step, str):
        return step if isinstance(held, dict) and step in held else None
    if not isinstance(held, list):
        return None
    if isinstance(step, int):
        return step if step < len(held) else None
    name, value = step
    places = (
        n for n, item in enumerate(held) if isinstance(item, dict) and item.get(name) == value
    )
    return next(places, None)
