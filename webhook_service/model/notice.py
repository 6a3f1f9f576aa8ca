"""Notices: what is told of one happening, as it was at that moment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Happened(StrEnum):
    """What people can be told of."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ROLLED_BACK = "rolledBack"
    HELD = "held"
    DRIFTED = "drifted"
    REFUSED = "refused"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One happening, with all that those who are told want to know. Texts may be empty.

    Attributes:
        happened: what; a way back by itself is ``rolledBack``, though its push has failed.
        at: when, in ISO 8601.
        receiver: its name, or its id once it is deleted.
        receiver_id: of a call on an inbox, the inbox's.
        execution: the id of what it is about; empty for a refused call and for a test.
        delivery: the id of the call that it began with; empty for a test.
        image: the full reference; empty for calls that bring none.
        state: of the execution.
        event: the push as the API shows it, with what the image says of itself (``facts``).
        by: who asked for it; of a token its id.
        by_name: the name of the token, for people; empty if it has none, or was no token.
        changes: what was changed, each with ``target``, ``field``, ``before`` and ``after``.
        approvals: how many people have to approve it; 0 if none.
        approve_by: until when, in ISO 8601.
    """

    happened: Happened
    project: str
    at: str
    receiver: str
    receiver_id: str
    execution: str = ""
    delivery: str = ""
    driver: str = ""
    image: str = ""
    state: str = ""
    reason: str = ""
    message: str = ""
    by: str = ""
    by_name: str = ""
    event: Mapping[str, Any] = field(default_factory=dict)
    changes: tuple[Mapping[str, Any], ...] = ()
    approvals: int = 0
    approve_by: str = ""

    def to_bytes(self) -> bytes:
        """The notice as it is kept."""
        found = asdict(self)
        if not self.by_name:
            del found["by_name"]  # hosts of older releases do not know it
        return json.dumps(found).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Notice:
        """The notice that ``to_bytes`` wrote."""
        found = json.loads(data)
        return cls(
            **{
                **found,
                "happened": Happened(found["happened"]),
                "changes": tuple(found["changes"]),
            }
        )

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the image says of itself."""
        found: Mapping[str, Any] = self.event.get("facts") or {}
        return found
