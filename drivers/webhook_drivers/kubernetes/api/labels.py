"""Choosing objects by labels as v1.6 did.

v1.6 compares names and values without case, and an empty value matches any; so the cluster's own
label selectors cannot be used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from webhook_drivers.kubernetes.images.target_config import ClusterConfig, DnsLabel
from webhook_service import Context

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


def _fits(labels: Mapping[str, str], key: str, value: str) -> bool:
    return key in labels and value in ("", labels[key])
