"""The contract: what a driver has to do, and what it may."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Collection, Mapping
from enum import StrEnum
from typing import Any, ClassVar, Generic

from typing_extensions import TypeVar

from webhook_service.driver.config import DriverConfig
from webhook_service.driver.context import Context
from webhook_service.driver.events import PushEvent, Request
from webhook_service.driver.outcomes import Observed, Offer, Outcome, Plan, Unchanged

ConfigT = TypeVar("ConfigT", bound=DriverConfig)
EventT = TypeVar("EventT", PushEvent, Request, default=PushEvent)


CONTRACT = 1
"""The version of what a plug-in may rely on: the classes it extends, and what they are given.

It grows by one with each release that adds to that. A plug-in that uses what is newer says so with
``contract = 2`` in its class; a service that is older lists it as broken, and says what to do."""


class Interruption(StrEnum):
    """Why the engine interrupts an execution.

    Attributes:
        ABORT: people want back what ran before, now.
        NEWER: a newer push to the same slot waits.
        ROLLBACK: people roll back to an older image, and wait for it. It is like ``NEWER``, but a
            driver must not put it off.
    """

    ABORT = "abort"
    NEWER = "newer"
    ROLLBACK = "rollback"


class WebhookDriver(ABC, Generic[ConfigT, EventT]):
    """One kind of action. An instance serves all receivers and is called from many threads.

    Attributes:
        contract: the ``CONTRACT`` that it needs at least.
    """

    contract: ClassVar[int] = 1
    Config: ClassVar[type[DriverConfig]] = DriverConfig
    consumes: ClassVar[type[PushEvent] | type[Request]] = PushEvent

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        """``options`` are deployment-wide settings, such as ``kubeconfig`` and ``clusters``."""
        self.options: Mapping[str, Any] = options or {}

    def validate(self, config: ConfigT, context: Context) -> None:
        """Check a config against the live system, before its receiver is stored. Change nothing.

        Raises:
            InvalidConfig: the config cannot work; say what to change.
        """
        return None

    def warnings(self, config: ConfigT, context: Context) -> tuple[str, ...]:
        """Say what people should know of a config that works: sentences, with what to do.

        Called when a receiver was created or changed, and for a dry run. It may look at the live
        system, and must change nothing. What it raises is left out. Default: nothing.
        """
        return ()

    def offers(self, config: Mapping[str, Any], context: Context) -> tuple[Offer, ...]:
        """Say what can be picked next for a config that is still being written.

        Called by the console, level by level: first with an empty config, then with that of an
        offer that has ``more``. It may look at the live system, and must change nothing. Default:
        nothing, and people write the config as JSON.

        Args:
            config: JSON that nobody has checked: it may be anything that people typed.

        Raises:
            DriverError: the live system cannot be read; people see the message.
        """
        return ()

    def slot(self, config: ConfigT, event: EventT) -> str:
        """Name what this push changes: pushes to one slot run one at a time, the newest last.

        It is called for every push while the call is answered, and must only compute: if it
        raises, the call is answered 503, and nothing is stored. A slot has at most 1,500 bytes of
        UTF-8 without NUL. The default, "", is one slot for the whole receiver.
        """
        return ""

    def headers(self, config: ConfigT) -> Collection[str]:
        """Name the headers that a driver of raw calls needs, such as ``x-github-event``.

        It never gets credentials, or what proxies and HTTP itself add (``is_private_header``).
        """
        return ()

    def targets(self, config: ConfigT, context: Context) -> tuple[str, ...]:
        """Name what pushes may change, as ``cluster/namespace/kind/name``; pure. Default: nothing.

        ``*`` in a place means everything there. By these names the service finds the receivers
        that change what an approved receiver changes, and tells operators of missing grants.
        """
        return ()

    def running(self, config: ConfigT, event: EventT, context: Context) -> tuple[str, ...]:
        """The tags of the pushed repository that run now, for the tag policy ``newer``."""
        return ()

    def observe(
        self, config: ConfigT, event: EventT, context: Context
    ) -> tuple[Observed, ...] | None:
        """Read what the targets of a push run now of its repository, and change nothing.

        History, rollbacks and the look for drift ask for it. None, the default: this driver cannot
        tell, and what is recorded counts. What it raises is shown as the reason why nobody knows.
        """
        return None

    def plan(self, config: ConfigT, event: EventT, context: Context) -> Plan:
        """Say what ``execute`` would change now, and change nothing."""
        return Plan(notes=("This driver cannot tell in advance what it would change.",))

    @abstractmethod
    def execute(
        self, config: ConfigT, event: EventT, context: Context
    ) -> Outcome | Awaitable[Outcome]:
        """Do one short step: read the live state, do what is missing, and return within 30 s.

        The engine may call it again after a crash at any point, so a step that was done already
        must do no harm. It may be an ``async def``: then the engine runs it on an event loop of its
        own, which all asynchronous drivers share.

        Raises:
            Retry: a fault that will pass; the engine calls again after a growing pause.
            TargetConflict: the live object is not what the push may change.
            Superseded: the target runs a newer push already.
            DriverError: the driver gives up; the execution ends as failed with its message.
            OutboundError: a call got no reply; like Retry if it is transient, else DriverError.
        """

    def interrupt(
        self, config: ConfigT, event: EventT, context: Context, why: Interruption
    ) -> Outcome | Awaitable[Outcome]:
        """Stop what ``execute`` began, and go back; called in its place, until the execution ends.

        It is one short step like ``execute``, also ``async``, with the same ``context.state``:
        empty if the execution has not waited yet, which does not mean that nothing was changed.

        For ``ABORT`` return ``Done`` when all is as before, or ``Unchanged`` if there is no way
        back: the execution ends as cancelled. For ``NEWER`` and ``ROLLBACK`` raise ``Superseded``
        as soon as the next execution may begin, or return ``GiveWay`` where something is half done
        that is to be followed if the next one is refused; the default finishes first.

        Raises:
            Superseded: the next one may begin.
            Retry, DriverError: see ``execute``.
        """
        if why is Interruption.ABORT:
            return Unchanged("Its driver cannot go back, so what it had changed already stays.")
        return self.execute(config, event, context)

    def close(self) -> Awaitable[None] | None:
        """Release connections; the service calls it once when it stops. It may be ``async`` too."""
        return None
