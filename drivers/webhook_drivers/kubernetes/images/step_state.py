"""What an execution remembers between its steps: JSON in ``Wait.state``."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic.alias_generators import to_camel

from webhook_drivers.kubernetes.images.stopwatch import Stopwatch
from webhook_service import Change

SETTLED = "settled"
"""The stage in which the push serves, and only tidying up is left."""
UNBEGUN = "unbegun"
"""The stage of a way back that could not be begun yet."""
STRAIGHT = "straight"
"""The stage of a push that changes the workload at once, although its strategy has several."""


class Phase(StrEnum):
    ROLLING = "rolling"
    ROLLBACK = "rollback"


class RolloutState(BaseModel):
    """Where an execution stands.

    Attributes:
        started: seconds since the epoch from which the time of this phase, or its stage, counts.
        seen: when the last step looked; see ``watch``.
        expected: the images that our containers must have now; others mean somebody else's hand.
        previous: the images to go back to; ``previous_push`` is the annotation that goes with them.
        stale_deadline: see ``rollout.progress``.
        reason: why the rollout is undone.
        stage: where a strategy of several stages stands; empty for those of one.
        notes: what else the strategy remembers.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    phase: Phase
    started: float
    seen: float
    expected: dict[str, str]
    previous: dict[str, str] = {}
    previous_push: str | None = None
    stale_deadline: str | None = None
    reason: str = ""
    changes: tuple[Change, ...] = ()
    stage: str = ""
    notes: dict[str, JsonValue] = {}

    @classmethod
    def read(cls, state: Mapping[str, Any]) -> Self | None:
        """What the last step remembered; None before the first, and for what is not ours.

        A lost state is harmless: the first step finds its own push in the object's record.
        """
        try:
            return cls.model_validate(state) if state else None
        except ValidationError:
            return None

    def having(self, **values: Any) -> Self:
        """A copy with other values."""
        return self.model_copy(update=values)

    def at(self, stage: str, now: float, **values: Any) -> Self:
        """The same push in a stage; the deadline counts anew from where one begins."""
        if stage == self.stage:
            return self.having(**values)
        return self.having(stage=stage, started=now, seen=now, **values)

    @property
    def watch(self) -> Stopwatch:
        return Stopwatch(self.started, self.seen)

    def looked_at(self, now: float) -> Self:
        """The same at the next look."""
        return self.having(**self.watch.at(now).as_json())

    def as_json(self) -> Mapping[str, Any]:
        return self.model_dump(mode="json", by_alias=True)
