"""What is remembered of a push between two steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from webhook_service import Change, Context


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far a push has come.

    Attributes:
        pull: the number of its pull request; 0 without one.
        commit: on the branch that is deployed from; "" before the merge.
    """

    pull: int = 0
    commit: str = ""
    changes: tuple[Change, ...] = ()

    @classmethod
    def read(cls, context: Context) -> Self:
        state = context.state
        changes = tuple(Change(**item) for item in state.get("changes") or ())
        return cls(state.get("pull") or 0, state.get("commit") or "", changes)

    def as_json(self, watch: Mapping[str, float]) -> Mapping[str, Any]:
        changes = [asdict(change) for change in self.changes]
        return {"pull": self.pull, "commit": self.commit, "changes": changes, "watch": dict(watch)}
