"""From the commit to what runs: what a workload, Argo CD or Flux says of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from webhook_drivers.git.config import Follow
from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.resources import (
    APPLICATIONS,
    HELM_RELEASES,
    KUSTOMIZATIONS,
    Address,
    Json,
)
from webhook_drivers.kubernetes.images.rollout import Progress, Stage
from webhook_drivers.kubernetes.images.workloads import WORKLOADS, containers, dig
from webhook_drivers.kubernetes.live.health import health
from webhook_drivers.pushed import WrittenImage
from webhook_service import InvalidImage, parse_image

WORKLOAD_KINDS = ("Deployment", "StatefulSet", "DaemonSet")
FOLLOWED = {
    **{kind: WORKLOADS[kind].resource for kind in WORKLOAD_KINDS},
    **{each.kind: each for each in (APPLICATIONS, KUSTOMIZATIONS, HELM_RELEASES)},
}
_FAILED = ("Failed", "Error")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True, slots=True)
class CommitSight:
    """What is looked at for one commit.

    Attributes:
        has: whether a commit has the file as the push left it; later commits do too.
    """

    cluster: Cluster
    follow: Follow
    pushed: WrittenImage
    commit: str
    has: Callable[[str], bool]

    @property
    def address(self) -> Address:
        return address_of(self.follow)

    def look(self) -> Progress:
        """How far the commit has come."""
        obj = self.cluster.get(self.address)
        if self.follow.kind in WORKLOADS:
            return self._workload(obj)
        if self.follow.kind == "HelmRelease":
            return self._release(obj)
        return self._applied(obj)

    def _workload(self, obj: Json) -> Progress:
        images = [item.image for item in containers(WORKLOADS[self.follow.kind], obj)]
        if not any(map(self._is_pushed, images)):
            return Progress(Stage.GOING, f"{self.address} does not have the image yet")
        return health(obj)

    def _applied(self, obj: Json) -> Progress:
        """Argo CD and Flux say which commit they have applied."""
        status = dig(obj, "status")
        applied = [*_revisions(dig(status, "sync")), status.get("lastAppliedRevision")]
        if not any(map(self._has_it, applied)):
            return Progress(Stage.GOING, f"{self.address} {self._attempt(obj)}")
        # The health of an Application may be that of its last sync, which was of another commit.
        operation = dig(status, "operationState")
        synced = [
            *_revisions(dig(operation, "syncResult")),
            *_revisions(dig(dig(operation, "operation"), "sync")),
        ]
        if operation.get("phase") in _FAILED and not any(map(self._has_it, synced)):
            return Progress(Stage.GOING, f"{self.address} has not begun to sync the commit yet")
        return health(obj)

    def _attempt(self, obj: Json) -> str:
        """What Flux says of a commit that it could not apply; it tries again by itself."""
        status = dig(obj, "status")
        if self._has_it(status.get("lastAttemptedRevision")):
            if said := health(obj).message:
                return f"cannot apply the commit: {said}"
        return "has not applied the commit yet"

    def _has_it(self, revision: object) -> bool:
        """Whether a revision that a tool names is our commit, or a later one with its image."""
        found = _COMMIT.search(str(revision or ""))
        return found is not None and (found.group() == self.commit or self.has(found.group()))

    def _release(self, obj: Json) -> Progress:
        """The values stand in the object itself, once the commit has been applied."""
        texts = [text for text in _texts(obj.get("spec")) if text]
        event = self.pushed.event
        wanted = {event.digest or event.tag, event.tag, self.pushed.image}
        if not any(text in wanted or self._is_pushed(text) for text in texts):
            return Progress(Stage.GOING, f"{self.address} does not have the image yet")
        return health(obj)

    def _is_pushed(self, text: str) -> bool:
        try:
            image = parse_image(text)
        except InvalidImage:
            return False
        event = self.pushed.event
        if not self.pushed.is_of(text):
            return False
        if image.digest and event.digest:
            return image.digest == event.digest
        return image.tag == event.tag


def _revisions(said: Json) -> list[object]:
    """Those of one source, or of several."""
    return [said.get("revision"), *(said.get("revisions") or ())]


def address_of(follow: Follow) -> Address:
    return Address(FOLLOWED[follow.kind], follow.namespace, follow.name)


def _texts(value: object, depth: int = 0) -> list[str]:
    if isinstance(value, str):
        return [value]
    if depth > 30:
        return []
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item, depth + 1)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item, depth + 1)]
    return []
