"""One push on one workload: how it is written on the object, and found there again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from webhook_drivers.kubernetes.intent import Intent, intend
from webhook_drivers.kubernetes.record import PUSH, Record, read, written
from webhook_drivers.kubernetes.resources import Address, Json
from webhook_drivers.kubernetes.rollout import is_paused
from webhook_drivers.kubernetes.state import RolloutState
from webhook_drivers.kubernetes.workloads import (
    Workload,
    containers,
    image_patch,
    template_annotation,
    with_metadata,
    with_rolling,
)
from webhook_service import Context, DriverError, PushEvent, Superseded, TargetConflict


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """A push and the workload it is for. Pure: it reads objects and builds patches.

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
        return f"{self.image} by webhook-service, delivery {self.context.delivery}"

    def record(self, obj: Json) -> Record:
        """The newest push of the same repository to this workload; an empty one without any."""
        return read(obj).get(self.repository, Record())

    def is_ours(self, record: Record) -> bool:
        """Whether this very execution wrote it; a replay has a new order key and starts anew."""
        return record.is_of(self.context.execution) and record.order_key == self.context.order_key

    def is_undone(self, record: Record) -> bool:
        return self.is_ours(record) and record.held == self.context.identity

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

    def patch(self, obj: Json, intent: Intent, rolling: Mapping[str, int | str]) -> Json:
        """The patch that applies the push, with its record."""
        push = {PUSH: intent.push} if intent.push else None
        patch = with_rolling(
            self.workload, image_patch(self.workload, intent.changed, push), rolling
        )
        record = self._new_record(intent.previous, intent.current_push)
        return self._guarded(obj, patch, record, self.cause)

    def undo_patch(self, obj: Json, state: RolloutState) -> Json:
        """The patch back to exactly the template before, so that an old ReplicaSet is reused."""
        images = tuple(
            replace(item, image=state.previous[item.name])
            for item in containers(self.workload, obj)
            if item.name in state.previous
        )
        push = template_annotation(self.workload, obj, PUSH)
        undo = {PUSH: state.previous_push} if push and push == self.context.identity else None
        patch = image_patch(self.workload, images, undo)
        held = self._new_record(state.previous, state.previous_push, self.context.identity)
        return self._guarded(obj, patch, held, f"rolled back from {self.cause}: {state.reason}")

    def refuse_older(self, record: Record) -> None:
        """
        Raises:
            Superseded: the workload already got a newer push of the repository.
        """
        if record.order_key > self.context.order_key:
            raise Superseded(
                f"{self.address} already got a newer push of {self.repository}, "
                f"delivery {record.delivery[:64]}."
            )

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

    def _new_record(
        self, previous: dict[str, str], previous_push: str | None, held: str | None = None
    ) -> Record:
        return Record(
            order_key=self.context.order_key,
            identity=self.context.identity,
            delivery=self.context.delivery,
            execution=self.context.execution,
            previous=previous,
            previous_push=previous_push,
            held=held,
        )

    def _guarded(self, obj: Json, patch: Json, record: Record, cause: str) -> Json:
        annotations = written(obj, self.repository, record, cause)
        return with_metadata(patch, obj["metadata"].get("resourceVersion"), annotations)
