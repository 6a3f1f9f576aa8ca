"""What people, GitOps or a garbage collector did to one of the objects that belong together.

A switch is told by three objects: people's Deployment, the second one, and the Service. Any of them
may be deleted, made anew or rewritten at any moment, and then the others say what is true no more.
"""

from __future__ import annotations

from dataclasses import dataclass

from webhook_drivers.kubernetes.api import pod_selector
from webhook_drivers.kubernetes.api.resources import Json
from webhook_drivers.kubernetes.images.rollout import Progress, Stage, progress
from webhook_drivers.kubernetes.strategies.blue_green.colours import Colours
from webhook_drivers.kubernetes.strategies.second import deployment, routing
from webhook_drivers.kubernetes.strategies.second.deployment import COLOR, DEPLOYMENT, HASH
from webhook_service.failpoints import failpoint

WHOLE = Progress(Stage.COMPLETE, "nothing is to be repaired")


@dataclass(frozen=True, slots=True)
class Repair:
    """Makes the objects fit together again, before anything is decided from them."""

    colours: Colours

    def move(self) -> Progress | None:
        """Do the next repair (None), wait for one, or say that nothing is missing (complete)."""
        colours, scene = self.colours, self.colours.scene
        if scene.elsewhere is not None and routing.is_touched(scene.elsewhere):
            return colours.move(colours.service, scene.elsewhere, {})
        if scene.service is not None and self._is_stale():
            return self._widen(scene.service)
        if scene.stray is not None:
            return self._remove(scene.stray)
        if scene.second is not None and self._is_outdated():
            return self._delete(scene.second)
        if scene.on_second and colours.count.anew:
            return self._follow(scene.serving)
        return WHOLE

    def _is_stale(self) -> bool:
        """Whether the Service is narrowed to pods that are none of these Deployments' any more."""
        colours, scene = self.colours, self.colours.scene
        narrowed = scene.narrowed
        if COLOR in narrowed:
            return scene.second is None or self._is_outdated()
        return HASH in narrowed and not colours.is_newest(narrowed[HASH])

    def _is_outdated(self) -> bool:
        """Whether the Service, as people wrote it meanwhile, fits their pods and not ours."""
        service, second = self.colours.scene.service, self.colours.scene.second
        return bool(service and second and not routing.sends_to(service, second))

    def _widen(self, service: Json) -> Progress | None:
        """Let the Service send to people's Deployment again: nothing else is sure to be there."""
        colours, scene = self.colours, self.colours.scene
        main, second = scene.main, scene.second
        if not deployment.wanted(main) and colours.count.wanted:
            return colours.scale(main, colours.home, colours.count.wanted)
        if second is None or self._is_outdated():
            return colours.move(colours.service, service, {})
        # The Service would send to these too, and nobody has checked them.
        if deployment.wanted(second):
            return colours.scale(second, colours.other, 0)
        if not deployment.is_empty(second) and self._is_served(service):
            return _going(f"the pods of {colours.other} are to end")
        return self._delete(second)

    def _is_served(self, service: Json) -> bool:
        """Whether the Service still has all its pods: then there is time to do it in order."""
        colours = self.colours
        pods = deployment.pods_of(colours.scene.main, routing.narrowed(service))
        found = routing.ready(colours.task.cluster, colours.service, pods)
        return found >= deployment.wanted(colours.scene.main)

    def _remove(self, stray: Json) -> Progress | None:
        """Remove a second Deployment of people's earlier one, once theirs serves in its place."""
        colours, main = self.colours, self.colours.scene.main
        wanted, seen = deployment.wanted(main), progress(DEPLOYMENT.resource.kind, main)
        if not seen.complete:
            return seen
        if colours.scene.service is not None:
            own = pod_selector.as_text(pod_selector.of(main), without=COLOR)
            found = routing.ready(colours.task.cluster, colours.service, own)
            if found < wanted:
                return _going(f"{colours.service} sends to {found} of {wanted} pods")
        return self._delete(stray)

    def _follow(self, second: Json) -> Progress | None:
        """People have scaled their Deployment while ours serves: ours gets the number."""
        colours, wanted = self.colours, self.colours.count.wanted
        if deployment.wanted(second) != wanted:
            return colours.scale(second, colours.other, wanted)
        return colours.scale(colours.scene.main, colours.home, wanted)

    def _delete(self, second: Json) -> Progress | None:
        failpoint("remove.before")
        self.colours.task.cluster.delete(self.colours.other, uid=second["metadata"]["uid"])
        failpoint("remove.sent")
        return None


def _going(message: str) -> Progress:
    return Progress(Stage.GOING, message)
