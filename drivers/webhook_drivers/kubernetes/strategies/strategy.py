"""What a strategy is: the steps that bring one push to the end, and the way back.

``ImageUpdate`` keeps what all strategies share: order, records, held pushes, deadlines, events and
the words of every end. docs/strategies.md says how to write one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import ClassVar, Generic, TypeAlias

from typing_extensions import TypeVar

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.resources import Address, Json
from webhook_drivers.kubernetes.api.rights import Right
from webhook_drivers.kubernetes.events.event import EventReason, emit
from webhook_drivers.kubernetes.images.push import Push
from webhook_drivers.kubernetes.images.rollout import Progress, number
from webhook_drivers.kubernetes.images.step_state import RolloutState
from webhook_drivers.kubernetes.images.workloads import Workload, dig
from webhook_service import DriverConfig
from webhook_service.failpoints import failpoint

Network: TypeAlias = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One push to one workload, and what a strategy needs to bring it there.

    Args:
        now: the clock, in seconds since the epoch.
        allowed: private networks that checks may call.
    """

    cluster: Cluster
    push: Push
    now: Callable[[], float]
    allowed: tuple[Network, ...] = ()

    def patch(self, patch: Json, *, dry_run: bool = False) -> Json:
        """Change the workload of the push."""
        push = self.push
        return self.cluster.patch(
            push.address, patch, content_type=push.workload.patch_type, dry_run=dry_run
        )

    def apply(self, patch: Json) -> Json:
        """Send the patch that gives the workload its new images."""
        failpoint("patch.before")
        patched = self.patch(patch)
        failpoint("patch.sent")
        return patched

    def undo(self, patch: Json) -> Json:
        """Send the patch that gives it the old ones back."""
        failpoint("undo.before")
        patched = self.patch(patch)
        failpoint("undo.sent")
        return patched

    def emit(self, obj: Json, reason: EventReason, message: str) -> None:
        """Create an Event on the workload; never fails."""
        emit(self.cluster, self.push.address, obj, self.push.context, reason, message)


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found in the cluster; strategies with more objects derive theirs.

    Attributes:
        obj: the workload, with the record of pushes and the images that serve now.
    """

    obj: Json


LookT = TypeVar("LookT", bound=Look, default=Look)


@dataclass(frozen=True, slots=True)
class Step(Generic[LookT]):
    """What a step found or did.

    Attributes:
        look: what is in the cluster now.
        state: what to remember.
        progress: how far the push is; ``ImageUpdate`` makes the outcome of it.
    """

    look: LookT
    state: RolloutState
    progress: Progress


class Strategy(DriverConfig, ABC, Generic[LookT]):
    """How the pods of a workload are replaced: a config with its steps.

    Every step reads live objects, does what is missing, and returns at once. A step may be called
    again after a crash at any point of it, and ``follow`` also with the state that ``begin`` got:
    what was done must be found on the objects. Any call may raise ``Conflict`` (decided anew from a
    new read), ``Retry`` and ``DriverError``.

    Attributes:
        type: names the strategy in configs.
        rights: what it needs beside ``get`` and ``patch`` of the workload.
        many: whether it works on targets that are chosen by labels.
        reverts: whether a failure is undone also where the receiver does not ask for it: what was
            begun beside the workload would stay.
    """

    rights: ClassVar[tuple[Right, ...]] = ()
    many: ClassVar[bool] = True
    reverts: ClassVar[bool] = False

    type: str

    def unfit(self, workload: Workload) -> str | None:
        """Why this strategy cannot replace pods of such a workload, if so; pure."""
        return None

    def is_shown_by(self, workload: Workload) -> bool:
        """Whether such a workload's own status says how far a push is, and ``follow`` only reads.

        Then its rollout is followed by a watch.
        """
        return False

    def problems(self, cluster: Cluster, address: Address, obj: Json) -> list[str]:
        """What would stop it on this live workload, as sentences; changes nothing."""
        return []

    def warnings(self, cluster: Cluster, address: Address, obj: Json) -> list[str]:
        """What people should know of this live workload, as sentences; changes nothing."""
        return []

    def min_ready(self, obj: Json) -> int:
        """How long a new pod must be ready before it counts, in seconds."""
        return number(dig(obj, "spec"), "minReadySeconds")

    @abstractmethod
    def look(self, task: Task) -> LookT:
        """Read the live objects from which the next step is decided."""

    @property
    def services(self) -> tuple[str, ...]:
        """The names of the Services that it moves, as its mark on the workload has them."""
        return ()

    @property
    def tidy_seconds(self) -> float:
        """How long tidying up may take after a push serves, in seconds."""
        return 0.0

    def give_back(self, task: Task) -> str:
        """Undo what can be undone although the workload is gone; say what is left, if anything.

        Never fails.
        """
        return ""

    def left(self, task: Task) -> str:
        """What is left beside the workload, and how to remove it; empty if nothing is."""
        return ""

    def first_patch(self, task: Task, look: LookT) -> Json:
        """The patch that a dry run asks the cluster about."""
        return task.push.patch(look.obj)

    def tidy(self, task: Task, look: LookT) -> Progress | None:
        """Go on with what an earlier push left to tidy up, where this one has nothing to do.

        None when nothing is left.
        """
        return None

    def clear(self, task: Task, look: LookT, seconds: float) -> Progress | None:
        """Remove what an earlier push left, for a push of another strategy; None when it is done.

        Args:
            seconds: for how long it has been tried.
        """
        return self.tidy(task, look)

    def is_beside(self, task: Task, look: LookT) -> bool:
        """Whether something of a push is beside the workload, and is to be withdrawn for the next.

        If not, the next push changes the workload at once, whatever is half done.
        """
        return False

    def is_decided(self, task: Task, look: LookT, state: RolloutState) -> bool:
        """Whether a push that is to give way serves already, so that it comes to its end first."""
        return False

    @abstractmethod
    def begin(self, task: Task, look: LookT, state: RolloutState) -> Step[LookT]:
        """Make the first change; the patch must carry the record (``Push.patch`` or ``claim``)."""

    @abstractmethod
    def follow(self, task: Task, look: LookT, state: RolloutState) -> Step[LookT]:
        """Do what is missing, and say how far it is."""

    @abstractmethod
    def undo(self, task: Task, look: LookT, state: RolloutState) -> Step[LookT]:
        """Begin the way back; the patch must hold the push (``undo_patch`` or ``hold_patch``)."""

    @abstractmethod
    def retreat(self, task: Task, look: LookT, state: RolloutState) -> Step[LookT]:
        """Follow the way back, as ``follow`` does the way there."""
