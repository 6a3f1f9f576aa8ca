"""What a push would change on a workload as it is now. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from webhook_drivers.kubernetes.images.containers import Sought, desired, select
from webhook_drivers.kubernetes.images.push_record import PUSH, Record
from webhook_drivers.kubernetes.images.workloads import Container
from webhook_service import Change, Context, PushEvent


@dataclass(frozen=True, slots=True)
class Intent:
    """The containers of a push, before and after.

    Attributes:
        current_push: the pod template's annotation of the push that rolled it last.
        push: what to set it to, where the images alone would not roll the pods; else None.
    """

    current: tuple[Container, ...]
    desired: tuple[Container, ...]
    current_push: str | None = None
    push: str | None = None

    @property
    def needed(self) -> bool:
        return self.push is not None or bool(self.changed)

    @property
    def changed(self) -> tuple[Container, ...]:
        return tuple(
            after
            for before, after in zip(self.current, self.desired, strict=True)
            if before != after
        )

    @property
    def previous(self) -> dict[str, str]:
        return {item.name: item.image for item in self.current}

    @property
    def after(self) -> dict[str, str]:
        return {item.name: item.image for item in self.desired}

    def since(self, record: Record) -> Intent:
        """The same push as seen before it was applied."""
        current = tuple(
            replace(item, image=record.previous.get(item.name, item.image)) for item in self.desired
        )
        rolled_by = self.current_push if self.current_push != record.previous_push else None
        push = self.push or rolled_by
        return replace(self, current=current, current_push=record.previous_push, push=push)

    def changes(self, target: object) -> tuple[Change, ...]:
        images = tuple(
            Change(str(target), after.field, before.image, after.image)
            for before, after in zip(self.current, self.desired, strict=True)
            if before != after
        )
        if self.push in (None, self.current_push):
            return images
        field = f"template.metadata.annotations[{PUSH}]"
        return (*images, Change(str(target), field, self.current_push, self.push))


def intend(
    target: str,
    found: Sequence[Container],
    event: PushEvent,
    context: Context,
    sought: Sought,
    *,
    wanted: Sequence[str] = (),
    pin: bool = True,
    applied: str = "",
    current_push: str | None = None,
) -> Intent:
    """Work out what a push would change.

    An image with a digest rolls the pods by itself, and a tag that is pushed anew does not: then
    the annotation names the push, once (https://github.com/kubernetes/kubernetes/issues/33664).

    Args:
        applied: the identity of the repository's last push to the workload.

    Raises:
        TargetConflict, DriverError: see ``select`` and ``desired``.
    """
    current = select(target, found, sought, wanted)
    after = desired(current, event, sought, pin)
    floating = not any("@" in item.image for item in after)
    # A way back needs no new pods where those that serve run it already.
    known = bool(context.rolls_back) or context.identity in (applied, current_push)
    settled = current == after and known
    push = context.identity if floating and not settled else None
    return Intent(current, after, current_push, push or None)
