"""One push on fields of one object: how it is written there, and found again. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from webhook_drivers.field_path import Step, above
from webhook_drivers.kubernetes.api.resources import Address, Json
from webhook_drivers.kubernetes.fields.values import (
    image_in,
    merge_patch,
    steps_to,
    value_at,
    with_values,
)
from webhook_drivers.kubernetes.images.push_record import Record, read, written
from webhook_drivers.kubernetes.images.step_state import RolloutState
from webhook_drivers.kubernetes.images.workloads import with_metadata
from webhook_drivers.pushed import WrittenImage, whole_images
from webhook_service import Change, TargetConflict

_PARTS = {"{image}": "image", "{tag}": "tag", "{digest}": "digest"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldPush:
    """A push, and the fields of an object that it sets.

    Attributes:
        fields: what each path is to have, with values of the push in braces.
    """

    address: Address
    fields: Mapping[str, str]
    pushed: WrittenImage

    @property
    def repository(self) -> str:
        return self.pushed.event.reference.name

    @property
    def cause(self) -> str:
        context = self.pushed.context
        how = "rolled back to " if context.rolls_back else ""
        return f"{how}{self.pushed.image} by webhook-service, delivery {context.delivery}"

    def record(self, obj: Json) -> Record:
        """The newest push of the repository to this object; an empty one without any."""
        return read(obj).get(self.repository, Record())

    def values(self, obj: Json, paths: Mapping[str, object]) -> dict[str, str]:
        """What the object has at some paths now.

        Raises:
            DriverError: it has no text at one of them.
        """
        return {path: value_at(obj, path, self._steps(obj, path)) for path in paths}

    def wanted(self, obj: Json) -> dict[str, str]:
        """What the fields are to have.

        Raises:
            TargetConflict: the object has another image there, and the receiver names none.
            DriverError: a field is missing, or the push has no such value.
        """
        before = self.values(obj, self.fields)
        self._refuse_strangers(before)
        return {
            path: self._written(path, template, before[path])
            for path, template in self.fields.items()
        }

    def changes(self, before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Change, ...]:
        """What people see of a change: whole images where the fields are parts of one."""
        old, new = self.images(before), self.images(after)
        return tuple(
            Change(str(self.address), name, old.get(name), image)
            for name, image in new.items()
            if old.get(name) != image
        )

    def images(self, values: Mapping[str, str]) -> dict[str, str]:
        """Values of the fields as whole images, by their places."""
        parts = []
        for path, value in values.items():
            part = _PARTS.get(self.fields.get(path, ""), "")
            place = above(path) if part in ("tag", "digest") else path
            parts.append((place, part, image_in(value) if part == "image" else value))
        return whole_images(self.repository, parts)

    def patch(self, obj: Json, values: Mapping[str, str], previous: Mapping[str, str]) -> Json:
        """The patch that applies the push, with its record of the values to go back to."""
        last = self.record(obj).succeeding(self.pushed.context, self.pushed.event)
        record = self._entry(last, previous)
        return self._guarded(obj, values, record, self.cause)

    def undo_patch(self, obj: Json, state: RolloutState) -> Json:
        """The patch back to the values before; its record holds the push."""
        entry = self._entry(self.record(obj), state.previous)
        cause = f"rolled back from {self.cause}: {state.reason}"
        return self._guarded(
            obj, state.previous, entry.holding(self.pushed.context.identity), cause
        )

    def held_back(self, obj: Json) -> str | None:
        """Why this push is not written again, if it was taken back before."""
        context, record = self.pushed.context, self.record(obj)
        if context.rolls_back:
            return None
        said = f"{self.pushed.image} was %s on {self.address} and is not deployed again by the same"
        if record.holds(context.identity, self.pushed.event):
            return f"{said % 'rolled back'} push: push it again to deploy it."
        if record.identity != context.identity or not record.previous:
            return None
        if self.values(obj, record.previous) != record.previous:
            return None
        return f"{said % 'taken back by hand'} push: push it again."

    def refuse_foreign(self, obj: Json, state: RolloutState) -> None:
        """
        Raises:
            TargetConflict: a field was changed by somebody else since.
        """
        found = self.values(obj, state.expected)
        for path, value in state.expected.items():
            if found[path] != value:
                raise TargetConflict(
                    f"{path} of {self.address} was changed by somebody else after "
                    f"{self.pushed.image} was written: it is {found[path][:256]} now. To deploy "
                    "it, push it again.",
                    changes=state.changes,
                )

    def _written(self, path: str, template: str, before: str) -> str:
        if template != "{image}":
            return self.pushed.filled(template)
        prefix = before[: len(before) - len(image_in(before))]
        return prefix + self.pushed.instead_of(image_in(before))

    def _refuse_strangers(self, before: Mapping[str, str]) -> None:
        """A tag alone does not say whose it is: an image beside it does, or the receiver."""
        images = [path for path, template in self.fields.items() if template == "{image}"]
        if not images and not self.pushed.context.named:
            raise TargetConflict(
                f"Nothing on {self.address} says that it runs {self.repository}, so nothing was "
                "changed: name the repository with its registry in `match.repositories`."
            )
        for path in images:
            if not self.pushed.is_of(image_in(before[path])):
                self.pushed.refuse_unnamed(before[path])

    def _steps(self, obj: Json, path: str) -> tuple[Step, ...]:
        return steps_to(obj, path, self.pushed)

    def _entry(self, last: Record, previous: Mapping[str, str]) -> Record:
        return Record.of(self.pushed.event, self.pushed.context, last, previous)

    def _guarded(self, obj: Json, values: Mapping[str, str], record: Record, cause: str) -> Json:
        after = with_values(obj, {self._steps(obj, path): values[path] for path in values})
        notes = written(obj, self.repository, record, cause)
        version = obj["metadata"].get("resourceVersion")
        return with_metadata(merge_patch(obj, after), version, notes)
