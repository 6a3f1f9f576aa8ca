"""What it does to a project to let a receiver be as a body says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from webhook_service.model.people.audit import FieldChange, compare
from webhook_service.model.receiver import Receiver


@dataclass(frozen=True, slots=True)
class Applied:
    """What ``apply_receiver`` did to a receiver, or would do in a dry run.

    Attributes:
        before: the receiver as it was; None if it was created.
        after: the receiver as the body wants it.
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
