"""One push on one workload: how it is written on the object, and found there again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from webhook_drivers.kubernetes.api.resources import Address, Json
from webhook_drivers.kubernetes.images.containers import Sought, repository
from webhook_drivers.kubernetes.images.push_plan import Intent, intend
from webhook_drivers.kubernetes.images.push_record import (
    CHANGE_CAUSE,
    MAX_ALIASES,
    PUSH,
    Record,
    read,
    written,
)
from webhook_drivers.kubernetes.images.rollout import has_completed, is_paused
from webhook_drivers.kubernetes.images.step_state import RolloutState
from webhook_drivers.kubernetes.images.unfinished_mark import is_midway
from webhook_drivers.kubernetes.images.workloads import (
    Workload,
    annotation,
    containers,
    dig,
    image_patch,
    template_annotation,
    with_metadata,
    with_spec,
)
from webhook_drivers.kubernetes.live.deployers import deployer, writer
from webhook_service import Context, DriverError, PushEvent, TargetConflict

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
        in_place: whether it replaces the pods of the workload itself, and of no second one.
    """

    workload: Workload
    address: Address
    event: PushEvent
    context: Context
    wanted: tuple[str, ...] = ()
    pin: bool = True
    in_place: bool = True

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
        return record.is_by(self.context)

    def is_undone(self, record: Record) -> bool:
        held = {item.identity for item in record.held}
        return self.is_ours(record) and self.context.identity in held

    def images(self, obj: Json, names: Mapping[str, str]) -> dict[str, str]:
        """What containers of these names run."""
        found = containers(self.workload, obj)
        return {item.name: item.image for item in found if item.name in names}

    def sought(self, obj: Json) -> Sought:
        """What a container must run for the push to change it."""
        record = self.record(obj)
        rewritten = (*record.aliases, *self.rewritten(obj, record))
        return Sought.of(self.event, self.context, rewritten)

    def rewritten(self, obj: Json, record: Record) -> tuple[str, ...]:
        """The repositories that came back for what the last push sent: admission rewrote it.

        Only while nobody has changed the spec since: what runs then is what came back.
        """
        if record.generation != dig(obj, "metadata").get("generation"):
            return ()
        known = (self.repository, *self.context.pulled_as(self.event.reference), *record.aliases)
        came = {
            name: image
            for name, image in self.images(obj, record.previous).items()
            if image != record.previous[name]
        }
        found = {repository(image) for image in came.values()} - {*known, None}
        return tuple(sorted(name for name in found if name))

    def renaming(self, obj: Json) -> Json | None:
        """The patch that remembers what admission made of this push's images; None without any."""
        record = self.record(obj)
        names = self.rewritten(obj, record) if self.is_ours(record) else ()
        if not names:
            return None
        record = record.model_copy(update={"aliases": (*names, *record.aliases)[:MAX_ALIASES]})
        cause = annotation(obj, CHANGE_CAUSE) or self.cause
        notes = written(obj, self.repository, record, cause)
        return with_metadata({}, obj["metadata"].get("resourceVersion"), notes)

    def shown(self, images: Iterable[str]) -> str:
        """The image that runs, as people read it: also where its name is not the pushed one."""
        others = sorted(each for each in set(images) if repository(each) != self.repository)
        return f"{', '.join(others)}, pushed as {self.image}" if others else self.image

    def has_reached(self, obj: Json, state: RolloutState) -> bool:
        """Whether the pod template has what this push wrote, and not what somebody else did."""
        push = template_annotation(self.workload, obj, PUSH)
        if push and push == self.context.identity:
            return True
        pushed = {change.after for change in state.changes}
        runs = self.images(obj, state.previous).items()
        return any(image in pushed and image != state.previous[name] for name, image in runs)

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
            self.sought(obj),
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
        record.refuse_older(self.address, self.repository, self.context, now)

    def last_good(self, obj: Json, intent: Intent) -> tuple[dict[str, str], str | None]:
        """The images to go back to, with the push annotation that goes with them.

        Those that are there; but where their own rollout never completed, those before them.
        """
        before, now = self.record(obj), (intent.previous, intent.current_push)
        if not self.in_place or before.previous.keys() != intent.previous.keys():
            return now
        return now if has_completed(self.kind, obj) else (before.previous, before.previous_push)

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
        if is_midway(obj, self.repository):
            return None  # it was left midway, and nobody took it back
        if self.images(obj, record.previous) != record.previous or not self.intent(obj).changed:
            return None
        by = self._written_by(obj, next(iter(record.previous)), "by hand")
        return (
            f"{self.image} was taken back on {self.address} {by} and is not deployed again by the "
            f"same push: {self.again(obj)}."
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
                by = self._written_by(obj, name, "by somebody else")
                raise TargetConflict(
                    f"Container {name} of {self.address} was changed {by} during the rollout of "
                    f"{self.image}: it runs {runs} now. To deploy it, {self.again(obj)}.",
                    changes=state.changes,
                )

    def refuse_replaced(self, obj: Json, state: RolloutState, where: Address | None = None) -> None:
        """
        Args:
            where: what serves, if it is not the workload itself.

        Raises:
            TargetConflict: what ran before, and serves until this push does, was changed since.
        """
        found = self.images(obj, state.previous)
        for name, image in state.previous.items():
            if found.get(name) != image:
                by = self._written_by(obj, name, "by somebody else")
                raise TargetConflict(f"{where or self.address} was changed {by} meanwhile")

    def _written_by(self, obj: Json, container: str, who: str) -> str:
        """Who took a container's image back, with the name that it gives itself."""
        found = writer(self.workload, obj, container)
        return f"{who} ({found.name})" if found and not found.ours else who

    def again(self, obj: Json, what: str = "it again") -> str:
        """What has to be done to deploy an image where somebody took one back."""
        found = deployer(obj)
        if found is None:
            return f"push {what}"
        return f"pushing {what} is in vain, for {found.name} {found.does}: {found.instead}"

    def _record(self, obj: Json, intent: Intent) -> Record:
        """The record of this push, which keeps what is held and holds what it rolls back."""
        last = self.record(obj).succeeding(self.context, self.event)
        return self._entry(last, *self.last_good(obj, intent))

    def _held(self, obj: Json, state: RolloutState) -> Record:
        """The record of this push as it is undone."""
        entry = self._entry(self.record(obj), state.previous, state.previous_push)
        return entry.holding(self.context.identity)

    def _entry(self, last: Record, previous: dict[str, str], previous_push: str | None) -> Record:
        return Record.of(self.event, self.context, last, previous, previous_push)

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
