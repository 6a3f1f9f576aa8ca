"""Paths of values in YAML and JSON: ``spec.images[name=shop].newTag``."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

# ``spec.images[name=acme/shop].newTag``; a key with other characters stands in quotes.
_STEP = re.compile(r'\.?(?:([A-Za-z0-9_/-]+)|"([^"]+)")|\[(\d+)\]|\[([A-Za-z0-9_-]+)=([^\]]+)\]')

Step = str | int | tuple[str, str]
"""A key, a place in a list, or a choice from a list: the item with this value of this key."""


def steps_of(path: str) -> tuple[Step, ...]:
    """The keys, places and choices of a path such as ``spec.images[name=shop].newTag``.

    Raises:
        ValueError: it is no path; the message says how one is written.
    """
    steps: list[Step] = []
    at = 0
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None or (found.group().startswith(".") and at == 0):
            raise ValueError(
                f'{path!r} is no path such as spec.images[name=shop].newTag or a."b.c"'
            )
        key, quoted, place, name, value = found.groups()
        steps.append(key or quoted or ((name, value) if name else int(place)))
        at = found.end()
    if not steps:
        raise ValueError("a path names at least one field")
    return tuple(steps)


def above(path: str) -> str:
    """The path of what holds a field; the field itself at the top."""
    return path.rpartition(".")[0] or path


def _checked(path: str) -> str:
    steps_of(path)
    return path


FieldPath = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_checked)]
"""``spec.template.spec.containers[name=app].image``, ``images[0].newTag``, ``a."b.c"``."""
