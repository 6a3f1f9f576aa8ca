"""Observers: whoever is told what happens. The service works the same without one."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from webhook_service.driver import Observed
from webhook_service.model.delivery import Delivery
from webhook_service.model.execution import Claim, Execution, Verdict

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Decided:
    """A call was stored with its decision, so many seconds after it arrived."""

    delivery: Delivery
    format: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Refused:
    """A call was refused; ``code`` is that of the error. Of a known key it names the receiver."""

    code: str
    receiver: str | None = None


@dataclass(frozen=True, slots=True)
class Limited:
    """A call or a connection met a limit, and was refused before it was looked at."""

    limit: str


@dataclass(frozen=True, slots=True)
class Stepped:
    """A driver was called once, for so many seconds; the verdict is not stored yet."""

    claim: Claim
    verdict: Verdict
    seconds: float


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of a step is stored for good."""

    claim: Claim
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class ResultRefused:
    """What came of a step is refused: its worker had lost the execution before."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class LeasesLost:
    """So many leases of workers that are gone were taken back."""

    count: int


@dataclass(frozen=True, slots=True)
class WorkersBusy:
    """So many workers of this process run a driver now."""

    count: int


@dataclass(frozen=True, slots=True)
class WorkersAbandoned:
    """So many workers hang in drivers that were given up."""

    count: int


@dataclass(frozen=True, slots=True)
class CallsHanging:
    """So many calls of the endpoint, the API and chores were given up and have not ended."""

    count: int


@dataclass(frozen=True, slots=True)
class WorkersDied:
    """So many threads of workers ended by themselves, and were replaced."""

    count: int


@dataclass(frozen=True, slots=True)
class ChoreFailed:
    """A chore raised what no chore should; it goes on when it is due again."""

    chore: str


@dataclass(frozen=True, slots=True)
class Drifted:
    """A target was seen to run another image than the one that was deployed; told once."""

    execution: Execution
    seen: Observed


@dataclass(frozen=True, slots=True)
class ConnectionsOpen:
    """So many connections to this process are open now."""

    count: int


@dataclass(frozen=True, slots=True)
class CallersWaiting:
    """So many callers wait for what comes of their call now."""

    count: int


Happening = (
    Decided
    | Refused
    | Limited
    | Stepped
    | Recorded
    | ResultRefused
    | LeasesLost
    | WorkersBusy
    | WorkersAbandoned
    | CallsHanging
    | WorkersDied
    | ChoreFailed
    | Drifted
    | ConnectionsOpen
    | CallersWaiting
)


class Observer:
    """Is told what happens, from many threads; this one does nothing with it."""

    def tell(self, happening: Happening) -> None:
        """Take note. It must not wait: a caller or a worker waits for it.

        What it raises is logged, and changes nothing. Nothing ends a call of it that hangs, so
        hand over to a thread of your own what may take long, such as a call of another server.
        """


class Observers(Observer):
    """Tells several, in their order. What one of them raises is logged, and harms nobody."""

    def __init__(self, *observers: Observer) -> None:
        self._all = observers

    def add(self, observer: Observer) -> None:
        """Tell one more from now on."""
        self._all += (observer,)

    def tell(self, happening: Happening) -> None:
        for each in self._all:
            try:
                each.tell(happening)
            except BaseException:
                log.exception("An observer failed on %s.", type(happening).__name__)
