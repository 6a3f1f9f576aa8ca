"""One push on one workload: how it is written on the object, and found there again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from webhook_drivers.kubernetes.api.resources import Address, Json
from webhook_drivers.kubernetes.images.push_plan import Intent, intend
from webhook_drivers.kubernetes.images.push_record import (
    CHANGE_CAUSE,
    PUSH,
    Record,
    is_newer,
    read,
    seconds,
    written,
)
from webhook_drivers.kubernetes.images.rollout import is_paused
from webhook_drivers.kubernetes.images.step_state import RolloutState
from webhook_drivers.kubernetes.images.workloads import (
    Workload,
    containers,
    image_patch,
    template_annotation,
    with_metadata,
    with_spec,
)
from webhook_service import Context, DriverError, PushEvent, Superseded, TargetConflict

NO_SPEC: Mapping[str, object] = {}
NO_NOTES: Mapping[str, str | None] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """A push and the workload it is for. Pure: it reads objects and builds patches.

    The patches take ``spec``, fields to set beside the images, and ``notes``, annotations of the
    object to set (or to remove, with None) beside the record.

    Args:
        wanted: the containers that the config names.
        pin: whether to deploy the digest of the push.
    """

    workload: Workload
    address: Address
    event: PushEvent
    context: Context
    wanted: tuple[str, ...] = ()
    pin: bool = True

    @property
    def kind(self) -> str:
        return self.workload.resource.kind

    @property
    def repository(self) -> str:
        return self.event.reference.name

    @property
    def image(self) -> str:
        """The image as people read it, with the digest where it is deployed."""
        digest = self.event.digest if self.pin or not self.event.tag else None
        return str(replace(self.event.reference, digest=digest))

    @property
    def cause(self) -> str:
        how = "rolled back to" if self.context.rolls_back else ""
        return f"{how} {self.image} by webhook-service, delivery {self.context.delivery}".strip()

    def record(self, obj: Json) -> Record:
        """The newest push of the same repository to this workload; an empty one without any."""
        return read(obj).get(self.repository, Record())

    def is_ours(self, record: Record) -> bool:
        """Whether this very execution wrote it; a replay has a new order key and starts anew."""
        return record.is_of(self.context.execution) and record.order_key == self.context.order_key

    def is_undone(self, record: Record) -> bool:
        held = {item.identity for item in record.held}
        return self.is_ours(record) and self.context.identity in held

    def images(self, obj: Json, names: Mapping[str, str]) -> dict[str, str]:
        """What containers of these names run."""
        found = containers(self.workload, obj)
        return {item.name: item.image for item in found if item.name in names}

    def intent(self, obj: Json) -> Intent:
        """What the push would change now.

        Raises:
            TargetConflict, DriverError: see ``intend``.
        """
        return intend(
            str(self.address),
            containers(self.workload, obj),
            self.event,
            self.context,
            wanted=self.wanted,
            pin=self.pin,
            applied=self.record(obj).identity,
            current_push=template_annotation(self.workload, obj, PUSH),
        )

    def patch(
        self,
        obj: Json,
        spec: Mapping[str, object] = NO_SPEC,
        notes: Mapping[str, str | None] = NO_NOTES,
    ) -> Json:
        """The patch that applies the push, with its record."""
        intent = self.intent(obj)
        push = {PUSH: intent.push} if intent.push else None
        patch = image_patch(self.workload, obj, intent.changed, push)
        return self._guarded(obj, patch, self._record(obj, intent), self.cause, spec, notes)

    def claim(
        self,
        obj: Json,
        spec: Mapping[str, object] = NO_SPEC,
        notes: Mapping[str, str | None] = NO_NOTES,
    ) -> Json:
        """The patch that writes the record, and leaves the images as they are."""
        return self._guarded(obj, {}, self._record(obj, self.intent(obj)), self.cause, spec, notes)

    def undo_patch(
        self,
        obj: Json,
        state: RolloutState,
        spec: Mapping[str, object] = NO_SPEC,
        notes: Mapping[str, str | None] = NO_NOTES,
    ) -> Json:
        """The patch back to exactly the template before, so that an old ReplicaSet is reused.

        Its record holds the push.
        """
        images = tuple(
            replace(item, image=state.previous[item.name])
            for item in containers(self.workload, obj)
            if item.name in state.previous
        )
        push = template_annotation(self.workload, obj, PUSH)
        undo = {PUSH: state.previous_push} if push and push == self.context.identity else None
        patch = image_patch(self.workload, obj, images, undo)
        return self._guarded(obj, patch, self._held(obj, state), self._undone(state), spec, notes)

    def hold_patch(
        self,
        obj: Json,
        state: RolloutState,
        spec: Mapping[str, object] = NO_SPEC,
        notes: Mapping[str, str | None] = NO_NOTES,
    ) -> Json:
        """The patch that holds the push, where the images need no way back."""
        return self._guarded(obj, {}, self._held(obj, state), self._undone(state), spec, notes)

    def refuse_older(self, record: Record, now: float) -> None:
        """
        Args:
            now: seconds since the epoch.

        Raises:
            Superseded: the workload already got a newer push of the repository.
        """
        if is_newer(record.order_key, self.context.order_key, now):
            raise Superseded(
                f"{self.address} already got a newer push of {self.repository}, "
                f"delivery {record.delivery[:64]}."
            )

    def held_back(self, obj: Json, record: Record) -> str | None:
        """Why this push is not deployed again, if it was taken back before."""
        if self.context.rolls_back:
            return None
        if record.holds(self.context.identity, self.event):
            return (
                f"{self.image} was rolled back on {self.address} and is not deployed again by "
                "the same push: push it again to deploy it."
            )
        if record.identity != self.context.identity or not record.previous:
            return None
        if self.images(obj, record.previous) != record.previous or not self.intent(obj).changed:
            return None
        return (
            f"{self.image} was taken back on {self.address} by hand and is not deployed again by "
            "the same push: push it again to deploy it."
        )

    def remembering(self, obj: Json, taken_back: Record) -> Json:
        """The object as if its record held a push that ``kubectl rollout undo`` has taken back."""
        held = taken_back.holding(taken_back.identity).held
        record = self.record(obj).model_copy(update={"held": held})
        metadata = obj["metadata"]
        kept = metadata.get("annotations") or {}
        notes = written(obj, self.repository, record, kept.get(CHANGE_CAUSE) or "")
        return {**obj, "metadata": {**metadata, "annotations": {**kept, **notes}}}

    def refuse_paused(self, obj: Json) -> None:
        """
        Raises:
            DriverError: a paused Deployment would take the image and not roll it out.
        """
        if is_paused(self.kind, obj):
            raise DriverError(
                f"{self.address} is paused, so nothing was changed: resume it (kubectl rollout "
                f"resume deployment/{self.address.name} -n {self.address.namespace}) and replay.",
                code="paused",
            )

    def refuse_foreign(self, obj: Json, state: RolloutState) -> None:
        """
        Raises:
            TargetConflict: a container that this push changed was changed by somebody else since.
        """
        found = self.images(obj, state.expected)
        for name, image in state.expected.items():
            if found.get(name) != image:
                runs = found.get(name, "nothing: the container is gone")[:256]
                raise TargetConflict(
                    f"Container {name} of {self.address} was changed by somebody else during the "
                    f"rollout of {self.image}: it runs {runs} now. Push again to deploy it.",
                    changes=state.changes,
                )

    def _record(self, obj: Json, intent: Intent) -> Record:
        """The record of this push, which keeps what is held and holds what it rolls back."""
        context, last = self.context, self.record(obj)
        if context.rolls_back:
            last = last.releasing(context.identity, self.event).holding(context.rolls_back)
        return self._entry(last, intent.previous, intent.current_push)

    def _held(self, obj: Json, state: RolloutState) -> Record:
        """The record of this push as it is undone."""
        entry = self._entry(self.record(obj), state.previous, state.previous_push)
        return entry.holding(self.context.identity)

    def _entry(self, last: Record, previous: dict[str, str], previous_push: str | None) -> Record:
        return Record(
            order_key=self.context.order_key,
            identity=self.context.identity,
            delivery=self.context.delivery,
            execution=self.context.execution,
            digest=self.event.digest,
            pushed_at=seconds(self.event),
            previous=previous,
            previous_push=previous_push,
            held=last.held,
        )

    def _undone(self, state: RolloutState) -> str:
        return f"rolled back from {self.cause}: {state.reason}"

    def _guarded(
        self,
        obj: Json,
        patch: Json,
        record: Record,
        cause: str,
        spec: Mapping[str, object],
        notes: Mapping[str, str | None],
    ) -> Json:
        patch = with_spec(patch, spec)
        # The resourceVersion binds the patch to what was read, and the spec's next number with it.
        generation = int(obj["metadata"].get("generation", 0)) + bool(patch)
        record = record.model_copy(update={"generation": generation})
        annotations = {**written(obj, self.repository, record, cause), **notes}
        return with_metadata(patch, obj["metadata"].get("resourceVersion"), annotations)
