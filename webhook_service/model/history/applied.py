"""What it does to a project to let a receiver be as a body says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from webhook_service.model.people.audit import FieldChange, compare
from webhook_service.model.receiver import Receiver


@dataclass(frozen=True, slots=True)
class Applied:
    """A receiver before and after it was to be as a body says.

    Attributes:
        before: None if there was none of the name.
        after: as it is now; of a dry run, as it would be.
    """

    before: Receiver | None
    after: Receiver

    @property
    def result(self) -> Literal["created", "changed", "unchanged"]:
        if self.before is None:
            return "created"
        return "unchanged" if self.before.spec == self.after.spec else "changed"

    @property
    def changes(self) -> tuple[FieldChange, ...]:
        """The fields in which the two differ; of a new one all."""
        return compare(None if self.before is None else self.before.spec, self.after.spec)
