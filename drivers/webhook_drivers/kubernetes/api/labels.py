"""Choosing objects by labels as v1.6 did.

v1.6 compares names and values without case, and an empty value matches any; so the cluster's own
label selectors cannot be used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import Field

from webhook_drivers.kubernetes.images.target_config import ClusterConfig, DnsLabel
from webhook_service import Context

_PART = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
Labels = Annotated[
    Mapping[
        Annotated[str, Field(min_length=1, max_length=317)], Annotated[str, Field(max_length=63)]
    ],
    Field(min_length=1, max_length=20),
]


class ByLabels(ClusterConfig):
    """Where objects are looked for that labels choose."""

    namespace: DnsLabel | None = Field(
        default=None,
        description="Where to look; without it, in the namespace that is named like the "
        "receiver's project.",
    )

    def home(self, context: Context) -> str:
        return self.namespace or context.project


def matches(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether labels match every pair."""
    known = {key.lower(): str(value).lower() for key, value in labels.items()}
    return all(_fits(known, key.lower(), value.lower()) for key, value in wanted.items())


def written(wanted: Mapping[str, str]) -> str:
    """The pairs as text: ``app=shop,tier=web``."""
    return ",".join(f"{key}={value}" for key, value in sorted(wanted.items()))


def selector_problems(wanted: object, field: str) -> Iterator[str]:
    """What is wrong with a selector before anything is looked for."""
    if wanted == {}:
        yield f"{field}: without a label it would choose everything; name at least one"


def advice(wanted: Mapping[str, str]) -> str:
    """What to do where no object has such labels.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
    """
    for key, value in sorted(wanted.items()):
        name = key.rpartition("/")[2]
        if not (_PART.fullmatch(name) and (value == "" or _PART.fullmatch(value))):
            return (
                f"{key}={value} can never be a label in Kubernetes, for / and other special "
                "characters are not allowed there: choose by another label."
            )
    return "Create one, or correct the labels."


def _fits(labels: Mapping[str, str], key: str, value: str) -> bool:
    return key in labels and value in ("", labels[key])
