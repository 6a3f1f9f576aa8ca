"""What the service writes on a workload about its pushes, so that it needs no database to be safe.

One annotation holds one entry per repository: two images of one pod may come from two receivers,
and a push of one must not supersede a push of the other. It is written in the same PATCH as the
images, under the object's resourceVersion.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from webhook_drivers.kubernetes.api.resources import Address, Json
from webhook_drivers.kubernetes.images.workloads import annotation
from webhook_service import Context, PushEvent, Superseded

PUSHES = "webhook-service.io/pushes"
PUSH = "webhook-service.io/push"
"""On the pod template: names the push that rolled it, where the image alone does not."""
CHANGE_CAUSE = "kubernetes.io/change-cause"
MAX_AHEAD = 300.0
MICROS_DIGITS = 17
MAX_REPOSITORIES = 20
MAX_HELD = 10
MAX_ALIASES = 5


class Held(BaseModel):
    """A push that was rolled back: it is not deployed again, and neither is a copy of it.

    Attributes:
        pushed_at: the sender's time, in seconds since the epoch.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    identity: str
    digest: str | None = None
    pushed_at: float | None = None

    def covers(self, identity: str, event: PushEvent) -> bool:
        """Whether a push is this one, or reports the same digest without having come later.

        Times are compared only where the sender gave both: an order key is new for each replay.
        """
        if identity == self.identity:
            return True
        if not event.digest or event.digest != self.digest:
            return False
        pushed_at = seconds(event)
        return pushed_at is None or self.pushed_at is None or pushed_at <= self.pushed_at


class Record(BaseModel):
    """The newest push of one repository to one workload.

    Attributes:
        previous: the images that the push replaced, by container.
        previous_push: the pod template's push annotation that it replaced.
        generation: of the workload's spec, as the push left it.
        held: the last pushes of the repository that were rolled back, the newest last.
        aliases: names that admission plug-ins gave the repository, the newest first.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    order_key: str = ""
    identity: str = ""
    delivery: str = ""
    execution: str = ""
    digest: str | None = None
    pushed_at: float | None = None
    previous: dict[str, str] = {}
    previous_push: str | None = None
    generation: int = 1
    held: tuple[Held, ...] = ()
    aliases: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        event: PushEvent,
        context: Context,
        last: Record,
        previous: Mapping[str, str],
        previous_push: str | None = None,
    ) -> Self:
        """The record of a push after another, which keeps what is held."""
        return cls(
            order_key=context.order_key,
            identity=context.identity,
            delivery=context.delivery,
            execution=context.execution,
            digest=event.digest,
            pushed_at=seconds(event),
            previous=dict(previous),
            previous_push=previous_push,
            held=last.held,
            aliases=last.aliases,
        )

    def is_by(self, context: Context) -> bool:
        """Whether this very execution wrote it; a replay has a new order key and starts anew."""
        ours = bool(context.execution) and self.execution == context.execution
        return ours and self.order_key == context.order_key

    def refuse_older(self, address: Address, repository: str, context: Context, now: float) -> None:
        """
        Args:
            now: seconds since the epoch.

        Raises:
            Superseded: the object already got a newer push of the repository.
        """
        if is_newer(self.order_key, context.order_key, now):
            raise Superseded(
                f"{address} already got a newer push of {repository}, "
                f"delivery {self.delivery[:64]}."
            )

    def succeeding(self, context: Context, event: PushEvent) -> Self:
        """The same as a push begins after it: what that one rolls back is held, and it is not."""
        if not context.rolls_back:
            return self
        return self.releasing(context.identity, event).holding(context.rolls_back)

    def holds(self, identity: str, event: PushEvent) -> bool:
        return any(item.covers(identity, event) for item in self.held)

    def holding(self, identity: str) -> Self:
        """The record that holds this push too: with its digest, if it is the one recorded."""
        ours = identity == self.identity
        held = Held(
            identity=identity,
            digest=self.digest if ours else None,
            pushed_at=self.pushed_at if ours else None,
        )
        others = [item for item in self.held if item.identity != identity]
        return self.model_copy(update={"held": (*others, held)[-MAX_HELD:]})

    def releasing(self, identity: str, event: PushEvent) -> Self:
        """The record that does not hold this push: people want it back."""
        kept = tuple(item for item in self.held if not item.covers(identity, event))
        return self.model_copy(update={"held": kept})


def is_newer(order_key: str, than: str, now: float) -> bool:
    """Whether an order key found on an object binds a push with the order key ``than``.

    It begins with a time in microseconds. One that lies more than five minutes ahead of ``now``, in
    seconds, was written by a clock that went wrong, and must not freeze the object until then.
    """
    micros = order_key.partition("-")[0]
    timed = len(micros) == MICROS_DIGITS and micros.isdecimal()
    ahead = int(micros) / 1e6 - now if timed else 0.0
    return order_key > than and ahead <= MAX_AHEAD


def seconds(event: PushEvent) -> float | None:
    """The sender's time of a push, in seconds since the epoch."""
    return event.pushed_at.timestamp() if event.pushed_at else None


def read(obj: Json) -> dict[str, Record]:
    """The records of an object by repository; what people broke is treated as absent."""
    try:
        entries = json.loads(annotation(obj, PUSHES) or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(entries, dict):
        return {}
    records = {name: _record(entry) for name, entry in entries.items()}
    return {name: record for name, record in records.items() if record}


def written(obj: Json, repository: str, record: Record, cause: str) -> dict[str, str]:
    """The annotations to write: the record beside those of other repositories, and the cause."""
    records = {**read(obj), repository: record}
    newest = sorted(records, key=lambda name: (name == repository, records[name].order_key))
    kept = {name: _entry(records[name]) for name in newest[-MAX_REPOSITORIES:]}
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"))
    return {PUSHES: text, CHANGE_CAUSE: cause}


def _record(entry: Any) -> Record | None:
    try:
        return Record.model_validate_json(json.dumps(entry), strict=True)
    except ValidationError:
        return None


def _entry(record: Record) -> Json:
    return record.model_dump(mode="json", by_alias=True, exclude_defaults=True)
