"""A dry run of an image update: what its first step would change, by the cluster's own checks."""

from __future__ import annotations

from webhook_drivers.kubernetes.api.resources import Json
from webhook_drivers.kubernetes.images import unfinished_mark
from webhook_drivers.kubernetes.images.update import ImageUpdate
from webhook_drivers.kubernetes.images.workloads import from_cache
from webhook_drivers.kubernetes.strategies import takeover
from webhook_service import DriverError, Plan


def plan(update: ImageUpdate, seen: Json | None = None) -> Plan:
    """What the first step would change now.

    Args:
        seen: the live object, if it was read just now.

    Raises:
        Superseded, TargetConflict, DriverError: what the first step would raise.
    """
    push, strategy = update.push, update.strategy
    look = update.look(seen)
    obj = look.obj
    record = push.record(obj)
    if push.context.order_key:
        push.refuse_older(record, update.now())
    if push.context.identity and (held := push.held_back(obj, record)):
        return Plan(notes=(held,))
    push.refuse_paused(obj)
    intent = push.intent(obj)
    if not intent.needed:
        return Plan(notes=(f"{push.address} already runs {push.image}.",))
    problems = strategy.problems(update.cluster, push.address, obj)
    if problems := [*update.hopeless(look), *problems]:
        return Plan(notes=tuple(problems))
    notes: tuple[str, ...] = ()
    if earlier := takeover.earlier(update.task, obj, strategy):
        notes = (f"A {earlier.type} push of it was not brought to its end: that comes first.",)
        return Plan(intent.changes(push.address), notes)
    unfinished_mark.refuse(obj, push.address, strategy.type, push.repository)
    try:
        update.task.patch(strategy.first_patch(update.task, look), dry_run=True)
    except DriverError as error:
        notes = (error.message,)
    if cached := from_cache(push.workload, obj, intent.previous, intent.after):
        notes = (*notes, cached)
    return Plan(intent.changes(push.address), notes)
