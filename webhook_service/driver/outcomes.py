"""Outcomes: what a driver says of its step, of its target, and of what it would do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from webhook_service.errors import Change


@dataclass(frozen=True, slots=True)
class Done:
    """The change is complete and verified."""

    changes: tuple[Change, ...] = ()
    message: str = ""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Nothing had to be done; ``reason`` is shown to people."""

    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """The driver is not done yet: the engine calls ``execute`` again.

    Attributes:
        after: seconds until that call; the engine keeps them between 0.05 and 3,600. It is sooner
            where the driver calls ``context.wake``.
        state: what the next call gets as ``context.state``: JSON of at most 256 KiB.
        message: what people see meanwhile.
        changes: what was changed so far.
        settled: the change is complete and verified, and only tidying up is left. A newer push to
            the slot does not wait for it; it ends this execution as succeeded.

    All waits and steps of an execution together may take ``WEBHOOK_SERVICE_ROLLOUT_SECONDS``, a day
    by default; then it fails as ``waited_too_long``. Give up earlier where you know better.
    """

    after: float
    state: Mapping[str, Any]
    message: str = ""
    changes: tuple[Change, ...] = ()
    settled: bool = False


@dataclass(frozen=True, slots=True)
class GiveWay:
    """The next execution may begin. If it is refused, this one goes on.

    ``interrupt`` returns it where something is half done, which somebody must follow to its end.
    When the next execution has begun, the engine ends this one as superseded. If the next one ends
    before it has begun, the engine calls ``execute`` of this one again.

    Attributes:
        after, state, message, changes: see ``Wait``.
    """

    after: float
    state: Mapping[str, Any]
    message: str = ""
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One image of the pushed repository, as a target runs it now.

    Attributes:
        target: the same text as in ``Change.target``.
        image: as the target spells it; if it pulls from a mirror, by the pushed repository's name.
        by: who set it, as far as the target tells, such as ``kubectl-set``; "" is nobody known.
        at: when.
        ours: whether the service itself set it.
        unfinished: whether a rollout of another image was begun beside it, and not ended.
        replaced: the image that the last push recorded on the target has replaced.
    """

    target: str
    image: str
    by: str = ""
    at: datetime | None = None
    ours: bool = False
    unfinished: bool = False
    replaced: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Something that people can pick when they write a config, as the live system has it.

    Attributes:
        label: what people read: ``namespace shop``, ``Deployment shop``.
        config: the config so far with this picked, as its JSON.
        images: what runs there now.
        problem: why it cannot be picked, such as a right that is missing.
        more: whether ``offers`` has something to pick below it.
    """

    label: str
    config: Mapping[str, Any]
    images: tuple[str, ...] = ()
    problem: str = ""
    more: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What ``execute`` would change now, for a dry run."""

    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()


Outcome = Done | Unchanged | Wait | GiveWay
