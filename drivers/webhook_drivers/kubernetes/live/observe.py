"""What a workload runs of a repository, and who set it, for history and rollbacks. Pure."""

from __future__ import annotations

from webhook_drivers.kubernetes.api.resources import Json
from webhook_drivers.kubernetes.images import unfinished_mark
from webhook_drivers.kubernetes.images.containers import Sought, repository
from webhook_drivers.kubernetes.images.push import Push
from webhook_drivers.kubernetes.images.workloads import Container, containers
from webhook_drivers.kubernetes.live.deployers import writer
from webhook_service import Observed


def observe(push: Push, obj: Json) -> tuple[Observed, ...]:
    """The images of the containers that a push is for, each once."""
    sought = push.sought(obj)
    found: dict[str, Observed] = {}
    for item in containers(push.workload, obj):
        if item.name in push.wanted or (not push.wanted and sought.runs_in(item.image)):
            found.setdefault(item.image, _seen(push, sought, obj, item))
    return tuple(found.values())


def _seen(push: Push, sought: Sought, obj: Json, item: Container) -> Observed:
    by = writer(push.workload, obj, item.name)
    replaced = push.record(obj).previous.get(item.name)
    return Observed(
        target=str(push.address),
        image=_as_pushed(sought, item.image),
        by=by.name if by else "",
        at=by.at if by else None,
        ours=bool(by and by.ours),
        unfinished=unfinished_mark.is_midway(obj, push.repository),
        replaced=_as_pushed(sought, replaced) if replaced else None,
    )


def _as_pushed(sought: Sought, image: str) -> str:
    """The image by the name under which it was pushed, where it is pulled from a mirror."""
    if not sought.runs_in(image) or repository(image) == sought.pushed:
        return image
    return sought.pushed + image[len(sought.at(image)) :]
