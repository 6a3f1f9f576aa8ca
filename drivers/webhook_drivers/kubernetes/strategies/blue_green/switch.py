"""The moves of a blue-green switch: bring the push up, show it, and move the traffic.

Each looks at the scene and does the next missing thing: then it gives None, and the scene is to be
looked at again. Or nothing is missing, and it says how far the cluster is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from webhook_drivers.kubernetes.api.resources import Json
from webhook_drivers.kubernetes.images.push_record import PUSH
from webhook_drivers.kubernetes.images.rollout import Progress, Stage, progress
from webhook_drivers.kubernetes.images.workloads import template_annotation
from webhook_drivers.kubernetes.strategies.blue_green.colours import Colours
from webhook_drivers.kubernetes.strategies.blue_green.repair import Repair
from webhook_drivers.kubernetes.strategies.blue_green.settle import Settling
from webhook_drivers.kubernetes.strategies.second import deployment, routing
from webhook_drivers.kubernetes.strategies.second.deployment import DEPLOYMENT, GREEN
from webhook_drivers.kubernetes.strategies.second.routing import Switch
from webhook_service import DriverError
from webhook_service.failpoints import failpoint

READY = Progress(Stage.COMPLETE, "ready")


@dataclass(frozen=True, slots=True)
class Switchover:
    """Brings a push to the colour that does not serve, and the traffic to it."""

    colours: Colours

    def prepare(self, images: Mapping[str, str], push: str, stale: str | None) -> Progress | None:
        """Bring the push up on the colour that does not serve.

        Args:
            images: what its containers are to run, and ``push``: what its pods are to name.
            stale: see ``rollout.progress``.
        """
        colours, scene = self.colours, self.colours.scene
        other, where = scene.second, colours.other
        repaired = Repair(colours).move()
        if repaired is None or not repaired.complete:
            return repaired
        deployment.refuse_foreign(other, where, colours.task.push.repository)
        if other is None:
            return self._create(images, push)
        if scene.on_second:
            return self._prepare_main(other, images, push, stale)
        if not deployment.runs(other, images, push):
            return Settling(colours=colours).remove(other)
        if not colours.is_marked:
            return self._narrow()
        return colours.fill(other, where, deployment.wanted(scene.main))

    def show(self) -> Progress | None:
        """Move the preview to the new pods."""
        colours, scene = self.colours, self.colours.scene
        if colours.preview is None:
            return READY
        cluster, to = colours.task.cluster, colours.labels(not scene.on_second)
        live = cluster.get(colours.preview)
        if not routing.sends_to(live, scene.main):
            raise DriverError(routing.astray(live, colours.preview, colours.home), code="unfit")
        if routing.narrowed(live) != to:
            return colours.move(colours.preview, live, to)
        waited = deployment.wanted(scene.serving)
        found = routing.ready(cluster, colours.preview, deployment.pods_of(scene.main, to))
        if found < waited:
            return _going(f"{colours.preview} sends to {found} of {waited} new pods")
        return READY

    def switch(self) -> None:
        """Move the traffic, in one PATCH."""
        self._move(not self.colours.scene.on_second, self.colours.task.now())

    def switch_again(self, images: Mapping[str, str], push: str) -> bool:
        """Move the traffic once more, if somebody wrote the selector as it was after the switch."""
        colours, scene = self.colours, self.colours.scene
        at, other = scene.switch.at, scene.second
        if scene.narrowed or at is None or scene.switch.by != colours.mark or other is None:
            return False
        if not deployment.wanted(other) or not deployment.runs(other, images, push):
            return False
        self._move(True, at)
        return True

    def _move(self, to_second: bool, at: float | None) -> None:
        colours, to = self.colours, self.colours.labels(to_second)
        of = "" if to_second else routing.template_mark(colours.scene.main)
        colours.move(
            colours.service, colours.live, to, Switch(colours.mark, at, of, colours.home.name)
        )

    def give_back(
        self, images: Mapping[str, str], push: str | None, *, reached: bool
    ) -> Progress | None:
        """Let the colour that ran before serve again: one PATCH, while its pods are kept.

        Args:
            images: what its containers run, and ``push``: what its pods name.
            reached: whether people's Deployment has the images of this push already.
        """
        colours, scene = self.colours, self.colours.scene
        if _is(scene.serving, images, push):
            return READY
        idle, where = scene.second, colours.other
        if scene.on_second:
            return self._give_home(images, push, reached)
        if idle is None or not _is(idle, images, push):
            return READY  # nothing is kept: what serves is brought to rest
        seen = colours.fill(idle, where, deployment.wanted(scene.serving))
        if seen is None or not seen.complete:
            return seen
        self.switch()
        return None

    def _give_home(
        self, images: Mapping[str, str], push: str | None, reached: bool
    ) -> Progress | None:
        """Let people's Deployment serve again, with what people have set on it meanwhile."""
        colours, main = self.colours, self.colours.scene.main
        if reached:
            # It has no traffic, so nobody misses the pods that this replaces.
            template = deployment.template_patch(main, images, {PUSH: push})
            return colours.write(main, colours.home, {"spec": {"template": template}})
        people, served = colours.count, deployment.wanted(colours.scene.serving)
        pods = people.wanted if people.anew else served or people.wanted
        seen = colours.fill(main, colours.home, pods)
        if seen is None or not seen.complete:
            return seen
        self.switch()
        return None

    def _create(self, images: Mapping[str, str], push: str) -> Progress | None:
        colours, where = self.colours, self.colours.other
        repository = colours.task.push.repository
        made = deployment.made_of(colours.scene.main, where, GREEN, repository, images, push)
        failpoint("deployment.before")
        colours.task.cluster.create(where, made)
        failpoint("deployment.sent")
        return None

    def _narrow(self) -> Progress | None:
        """Keep the Service on the pods that run now, before others come that it would select."""
        colours, scene = self.colours, self.colours.scene
        if not scene.narrowed:
            seen = progress(DEPLOYMENT.resource.kind, scene.main)
            if not seen.complete:
                return _going(f"the rollout of {colours.home} is not complete: {seen.message}")
        self._move(scene.on_second, None)
        return None

    def _prepare_main(
        self, other: Json, images: Mapping[str, str], push: str, stale: str | None
    ) -> Progress | None:
        colours, main = self.colours, self.colours.scene.main
        if not colours.is_marked:
            return self._narrow()
        wanted = {**deployment.images_of(other, deployment.pushed_names(main)), **images}
        pods = deployment.wanted(other) or colours.count.wanted
        if deployment.runs(main, wanted, push):
            return colours.fill(main, colours.home, pods, stale)
        named = {PUSH: push} if push else {}
        template = deployment.template_patch(main, wanted, named)
        spec, notes = {"template": template, "replicas": pods}, colours.noting(pods)
        colours.task.apply(colours.task.push.claim(colours.scene.obj, spec, notes))
        return None


def _is(obj: Json, images: Mapping[str, str], push: str | None) -> bool:
    same = template_annotation(DEPLOYMENT, obj, PUSH) == push
    return same and deployment.runs(obj, images, "")


def _going(message: str) -> Progress:
    return Progress(Stage.GOING, message)
