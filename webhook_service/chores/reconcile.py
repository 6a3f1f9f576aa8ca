"""Reconcile: pushes whose call was lost are found at the registry, and deployed all the same.

Docker Hub, ACR and GitHub send a call once. A receiver with ``registry.poll`` therefore looks now
and then at the tags that it follows; what moved and was told by no call is accepted as a push.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import SystemRandom
from typing import TYPE_CHECKING

from webhook_service.chores.breaker import Breaker
from webhook_service.chores.polled import Followed, chosen, followed
from webhook_service.driver import PushEvent
from webhook_service.errors import DriverError, LimitReached, NotFound, Retry, WebhookServiceError
from webhook_service.failpoints import failpoint
from webhook_service.formats.format import Parsed
from webhook_service.images import Image
from webhook_service.model.delivery import Call, Decision, Delivery
from webhook_service.model.receiver import Receiver
from webhook_service.receiving.cache import CompiledReceivers
from webhook_service.receiving.compiled import CompiledReceiver
from webhook_service.store.retention import ChoreStep
from webhook_service.store.seen_tags import CLIENT, Sighting
from webhook_service.store.store import Store

if TYPE_CHECKING:
    from webhook_service.registry.client import Descriptor, RegistryClient, Repository

LOOK_SECONDS = 10.0
BUDGET_SECONDS = 20.0
# A receiver whose look fails is looked after again in an hour.
FAILED_SECONDS = 3600.0
# A call may come a little before its registry shows the push everywhere.
MARGIN = timedelta(minutes=1)
JITTER = 0.1
# The repository itself, among the sightings of its tags: when it was looked at.
ITSELF = ""
ABSENT = ""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RepositoryLook:
    """One look at a repository, and what was known before it."""

    compiled: CompiledReceiver
    image: Image
    started: datetime
    follows: Followed
    known: dict[str, Sighting]
    told: list[PushEvent] | None

    def was_told(self, event: PushEvent) -> bool:
        """Whether a call told of the push; if there were too many to know, it is taken as told."""
        return self.told is None or any(_tells_of(push, event) for push in self.told)

    def place(self, tag: str) -> datetime:
        """How old a push is that was found: the tag's own place in time is not known.

        Where any tag may run, pushes of other tags since the last look may be newer, and win.
        """
        others = [push for push in self.told or () if push.tag != tag]
        if self.follows.ranked or not others:
            return self.started
        return self.known[ITSELF].looked


class Reconcile:
    """Looks after one receiver in each step; so one registry gets one call at a time.

    Args:
        client: gives the registry client, when the first receiver needs it.
        commit: stores a decision (see ``WebhookService.commit``).
    """

    name = "reconcile"
    every = LOOK_SECONDS

    def __init__(
        self,
        store: Store,
        receivers: CompiledReceivers,
        client: Callable[[], RegistryClient],
        commit: Callable[[Decision], Delivery],
        breaker: Breaker | None = None,
    ) -> None:
        self._store = store
        self._receivers = receivers
        self._client = client
        self._commit = commit
        self._breaker = breaker or Breaker()

    def step(self, cursor: str) -> ChoreStep:
        """Look after the receiver that is due first."""
        due = self._store.sightings.next_due()
        if due is None:
            return ChoreStep("", True, 0)
        project, id_ = due
        # First, so that one whose look fails does not stay before all others.
        self._store.sightings.rest(id_, FAILED_SECONDS)
        try:
            pause, lost = self._look_after(self._store.receivers.get(project, id_))
        except NotFound:
            return ChoreStep("", False, 0)
        self._store.sightings.rest(id_, pause)
        return ChoreStep("", False, lost)

    def _look_after(self, receiver: Receiver) -> tuple[float, int]:
        """Seconds until the next look, and how many lost pushes were found."""
        rule, lost = receiver.spec.registry, 0
        poll = rule.poll if rule and rule.poll else 0
        pause = poll * SystemRandom().uniform(1 - JITTER, 1 + JITTER)
        for image in [] if receiver.suspended else self._images(receiver):
            if left := self._breaker.left(image.registry):
                pause = max(pause, left)
            else:
                lost += self._ask(self._receivers.of(receiver), image)
        return pause, lost

    def _images(self, receiver: Receiver) -> tuple[Image, ...]:
        try:
            return self._receivers.of(receiver).matcher.named_images() or ()
        except WebhookServiceError as exc:
            log.warning("The receiver %s cannot be looked after: %s", receiver.id, exc)
            return ()

    def _ask(self, compiled: CompiledReceiver, image: Image) -> int:
        try:
            lost = self._look(compiled, image)
        except Retry as exc:
            log.warning("%s cannot be asked now: %s", image.name, exc)
            self._breaker.failed(image.registry, exc.after)
            return 0
        except DriverError as exc:
            log.warning("%s cannot be asked: %s", image.name, exc)
            return 0
        except LimitReached as exc:
            log.warning("A lost push of %s has to wait: %s", image.name, exc)
            return 0
        self._breaker.answered(image.registry)
        return lost

    def _look(self, compiled: CompiledReceiver, image: Image) -> int:
        """Compare a repository's tags with what was seen of them; the number of lost pushes."""
        started = self._store.now()
        repository = self._client().repository(image, BUDGET_SECONDS)
        look = self._begin(compiled, image, started, repository)
        seen, lost = dict[str, Sighting](), 0
        try:
            for tag in chosen(look.follows.wanted, look.known):
                seen[tag], found = self._compare(look, tag, repository.head(tag))
                lost += found
            seen[ITSELF] = Sighting(None, 0, started)
        finally:
            self._store.sightings.note(compiled.receiver.id, image.name, seen)
        return lost

    def _begin(
        self, compiled: CompiledReceiver, image: Image, started: datetime, repository: Repository
    ) -> RepositoryLook:
        receiver, rule = compiled.receiver, compiled.receiver.spec.match.tags
        follows = followed(
            rule, compiled.matcher, [] if rule.policy == "exact" else repository.tags()
        )
        known = self._store.sightings.known(receiver.id, image.name)
        # What was there before the receiver, or stands behind a greater tag, is not deployed.
        listed = follows.passed if known else [*follows.wanted, *follows.passed, ITSELF]
        new = {tag: Sighting(None, 0, started) for tag in listed if tag not in known}
        self._store.sightings.note(receiver.id, image.name, new)
        known |= new
        asked = [*chosen(follows.wanted, known), ITSELF]
        since = min(known[tag].looked for tag in asked if tag in known) - MARGIN
        told = self._store.sightings.told(receiver.id, image, since)
        return RepositoryLook(compiled, image, started, follows, known, told)

    def _compare(
        self, look: RepositoryLook, tag: str, found: Descriptor | None
    ) -> tuple[Sighting, bool]:
        """What was seen of a tag, and whether it was a lost push, which is accepted then."""
        before = look.known.get(tag)
        digest = ABSENT if found is None else found.digest
        changes = 0 if before is None else before.changes
        lost = False
        if before is None or before.digest not in (None, digest):
            changes += 1
            lost = found is not None and self._accept_lost(look, tag, found, changes)
        return Sighting(digest, changes, look.started), lost

    def _accept_lost(self, look: RepositoryLook, tag: str, found: Descriptor, changes: int) -> bool:
        """Take a push as if a call had told of it; seen twice, it is one push."""
        event = PushEvent(
            registry=look.image.registry,
            repository=look.image.repository,
            tag=tag,
            digest=found.digest,
            media_type=found.media_type,
        )
        if look.was_told(event):
            return False
        log.info("%s was pushed, and no call told of it", event.image)
        parsed, message = Parsed((event,)), f"{CLIENT} {changes}"
        call = Call(b"", client=CLIENT)
        decision = look.compiled.decide_on(parsed, call, look.place(tag), message)
        self._commit(decision)
        failpoint("reconcile.seen")
        return True


def _tells_of(push: PushEvent, event: PushEvent) -> bool:
    """Whether a push is this one; one that did not run yet may still have no digest."""
    return push.tag == event.tag and push.digest in (None, event.digest)
