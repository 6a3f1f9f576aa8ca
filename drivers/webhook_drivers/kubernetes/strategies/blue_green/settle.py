"""The way of a blue-green switch to rest: one Deployment behind its Service, nothing of ours.

Each move looks at the scene and does the next missing thing: then it gives None, and the scene is
to be looked at again. Or nothing is missing, and it says how far the cluster is.
"""

from __future__ import annotations

from dataclasses import dataclass

from webhook_drivers.kubernetes.api.resources import Json
from webhook_drivers.kubernetes.images import unfinished_mark
from webhook_drivers.kubernetes.images.push_record import PUSH
from webhook_drivers.kubernetes.images.rollout import Progress, Stage, progress, running
from webhook_drivers.kubernetes.images.workloads import template_annotation
from webhook_drivers.kubernetes.strategies.blue_green.colours import REPLICAS, Colours
from webhook_drivers.kubernetes.strategies.blue_green.repair import Repair
from webhook_drivers.kubernetes.strategies.second import autoscalers, deployment, routing
from webhook_drivers.kubernetes.strategies.second.deployment import DEPLOYMENT
from webhook_service.failpoints import failpoint

LONGEST_LOOK = 30.0
FULL = Progress(Stage.COMPLETE, "the pods of people's Deployment are there")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """Brings both colours to rest, on the one that serves.

    Args:
        keep_seconds: how long the old pods are kept first, None for not at all; ``to_zero``: only
            their Deployment is kept.
    """

    colours: Colours
    keep_seconds: float | None = None
    to_zero: bool = False

    def move(self) -> Progress | None:
        """Bring people's Deployment and Service to what serves, and remove the second."""
        colours, scene = self.colours, self.colours.scene
        repaired = Repair(colours).move()
        if repaired is None or not repaired.complete:
            return _settled(repaired.message) if repaired else None
        names = (colours.home.name, colours.other.name)
        cluster, namespace = colours.task.cluster, colours.service.namespace
        if autoscalers.move(cluster, namespace, names, names[scene.on_second]):
            return None
        if colours.may_still_move:
            pods = deployment.pods_of(scene.main, colours.labels(scene.on_second))
            found = routing.ready(cluster, colours.service, pods)
            if found < deployment.wanted(scene.serving):
                return _settled(f"{colours.service} sends to {found} of the new pods")
        if (left := self._left()) > 0:
            return self._keep(left)
        return self._bring_home() if scene.on_second else self._clear()

    def remove(self, other: Json) -> Progress | None:
        """Remove the second Deployment, once none of its pods can get traffic."""
        colours = self.colours
        if colours.may_still_move and not deployment.is_empty(other):
            return self.move()
        failpoint("remove.before")
        colours.task.cluster.delete(colours.other, uid=other["metadata"]["uid"])
        failpoint("remove.sent")
        return None

    def _keep(self, left: float) -> Progress | None:
        colours, scene = self.colours, self.colours.scene
        idle = scene.main if scene.on_second else scene.second
        where = colours.home if scene.on_second else colours.other
        if idle is None:
            return Progress(Stage.COMPLETE, "ready")
        if self.to_zero and deployment.wanted(idle):
            return colours.scale(idle, where, 0)
        message = f"{colours.task.push.image} serves; {where} is kept for {left:.0f} s"
        return _settled(message, min(left, LONGEST_LOOK))

    def _bring_home(self) -> Progress | None:
        """Bring people's Deployment to what the second one serves, then the Service back to it."""
        colours, scene = self.colours, self.colours.scene
        main, other, where = scene.main, scene.serving, colours.home
        # An autoscaler may have given the second one another number; nobody wants none by it.
        pods = deployment.wanted(other) or colours.count.wanted
        images = deployment.images_of(other, deployment.pushed_names(main))
        push = template_annotation(DEPLOYMENT, other, PUSH)
        same = template_annotation(DEPLOYMENT, main, PUSH) == push
        if not (same and deployment.runs(main, images, "")):
            if deployment.wanted(main):
                # Emptied first: three sets of pods at once might find no room.
                return colours.scale(main, where, 0)
            if not deployment.is_empty(main):
                return _settled(f"the old pods of {where} are to end")
            template = deployment.template_patch(main, images, {PUSH: push})
            spec = {"template": template, "replicas": pods}
            return colours.write(main, where, {"spec": spec}, colours.noting(pods))
        seen = colours.fill(main, where, pods)
        if seen is None or not seen.complete:
            return _settled(seen.message) if seen else None
        return colours.move(colours.service, colours.live, {})

    def _clear(self) -> Progress | None:
        colours, scene = self.colours, self.colours.scene
        other, where = scene.second, colours.other
        if scene.service is None and (seen := self._refill()) is not FULL:
            return seen
        if other is not None and not deployment.is_empty(other):
            if deployment.wanted(other):
                return colours.scale(other, where, 0)
            return _settled(f"the pods of {where} are to end")
        if colours.preview and (live := routing.find(colours.task.cluster, colours.preview)):
            if routing.is_touched(live):
                return colours.move(colours.preview, live, {})
        if scene.service is not None and routing.is_touched(scene.service):
            return colours.move(colours.service, scene.service, {})
        if other is not None:
            return self.remove(other)
        if unfinished_mark.is_of(scene.main, colours.task.push.repository):
            notes = {**unfinished_mark.UNMARKED, REPLICAS: None}
            colours.write(scene.main, colours.home, {}, notes)
        return Progress(Stage.COMPLETE, running(DEPLOYMENT.resource.kind, scene.main))

    def _refill(self) -> Progress | None:
        """Bring the pods of people's Deployment back, which was emptied on the way home.

        The Service is deleted, or for other pods now, so nothing else says that it does not serve.
        """
        colours, main = self.colours, self.colours.scene.main
        if deployment.wanted(main) != colours.count.wanted:
            return colours.scale(main, colours.home, colours.count.wanted)
        seen = progress(DEPLOYMENT.resource.kind, main)
        return FULL if seen.complete or seen.failed else _settled(seen.message)

    def _left(self) -> float:
        """How long the old pods are still kept, in seconds."""
        at = self.colours.scene.switch.at
        if at is None or self.keep_seconds is None:
            return 0.0
        return at + self.keep_seconds - self.colours.task.now()


def _settled(message: str, after: float | None = None) -> Progress:
    return Progress(Stage.SETTLED, message, after)
