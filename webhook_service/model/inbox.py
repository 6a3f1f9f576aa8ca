"""Inboxes: one URL for many receivers, as a registry has one webhook for all that it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import Field

from webhook_service.model.ids import INBOX
from webhook_service.model.receiver import HIDDEN, MAX_NAME, Source, Verify
from webhook_service.model.rules.part import Part


class InboxSpec(Part):
    """An inbox as people describe it: who calls, and how a call is proven genuine."""

    name: str = Field(min_length=1, max_length=MAX_NAME)
    source: Source = Source()
    verify: Verify = Verify()


@dataclass(frozen=True, slots=True)
class Inbox:
    """A stored inbox.

    Attributes:
        version: grows with every update of it.
        generation: grows with that, and with every change of a receiver that listens to it.
    """

    id: str
    project: str
    spec: InboxSpec
    created: datetime
    updated: datetime
    version: int = 1
    generation: int = 1

    @property
    def name(self) -> str:
        return self.spec.name


@dataclass(frozen=True, slots=True)
class InboxView:
    """What people want to know about an inbox.

    Attributes:
        key: what its URL carries.
        listening: the names of the receivers that listen to it, by their ids.
        problem: why it cannot take calls; None if it can.
    """

    key: str | None
    listening: Mapping[str, str]
    problem: str | None


def is_inbox(id_: str) -> bool:
    """Whether an id is that of an inbox."""
    return id_.startswith(f"{INBOX}_")


def inbox_as_json(spec: InboxSpec) -> Mapping[str, Any]:
    """An inbox's JSON as its owner wrote it, with its secrets hidden."""
    parts = spec.model_dump(mode="json", by_alias=True)
    parts["verify"] |= dict.fromkeys(spec.verify.secrets, HIDDEN)
    return parts
