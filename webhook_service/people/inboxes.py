"""Inboxes: one URL for many receivers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from webhook_service.model.delivery import Call
from webhook_service.model.ids import INBOX, KEY_OVERLAP, new_id, new_key, require_project_id
from webhook_service.model.inbox import Inbox, InboxView
from webhook_service.model.pages import Page, PageRequest
from webhook_service.model.people.audit import APPLICATION, Actor
from webhook_service.plugins.instances import Schemes
from webhook_service.receiving.bodies.inbox import read_inbox
from webhook_service.receiving.bodies.receiver import require_version
from webhook_service.receiving.cache import CompiledReceivers
from webhook_service.receiving.simulate import Simulation, simulate_inbox
from webhook_service.store.store import Store


class Inboxes:
    """Makes, changes, tries and ends inboxes, each within a project.

    An id of another project raises NotFound. ``by`` says who does it, for the audit.

    Args:
        receivers: those that may listen.
        schemes: what ``verify`` may name.
    """

    def __init__(self, store: Store, receivers: CompiledReceivers, schemes: Schemes) -> None:
        self._store = store
        self._receivers = receivers
        self._schemes = schemes

    def create(self, project: str, body: Mapping[str, Any], *, by: Actor = APPLICATION) -> Inbox:
        """Make one URL for the receivers that will listen to it.

        Args:
            body: as in the JSON API: ``name``, ``source``, ``verify``.

        Raises:
            InvalidConfig: it cannot work; the message says what to change.
            LimitReached: the project has too many inboxes.
        """
        require_project_id(project)
        spec, now = read_inbox(body, self._schemes), self._store.now()
        inbox = Inbox(new_id(INBOX), project, spec, now, now)
        self._receivers.compile_inbox(inbox)
        self._store.inboxes.add(inbox, new_key(), by)
        return inbox

    def update(
        self,
        project: str,
        inbox_id: str,
        body: Mapping[str, Any],
        *,
        version: int | None = None,
        by: Actor = APPLICATION,
    ) -> Inbox:
        """Change the fields that the body has; the rest stays, and so do the URL and history.

        Args:
            body: parts merge field by field, and null removes (see ``receiving.bodies``).
            version: the one that the change is made for, if it must not be made for a newer one.

        Raises:
            NotFound: no such inbox in the project.
            InvalidConfig: the result cannot work, or not for a receiver that listens.
            ChangedMeanwhile: somebody else changed it while this change was checked.
            OutdatedVersion: it is at another version than ``version``.
        """
        old = self.get(project, inbox_id)
        require_version("inbox", old.version, version)
        changed = replace(old, spec=read_inbox(body, self._schemes, old.spec))
        self._receivers.require_listeners(changed)
        return self._store.inboxes.update(old, changed.spec, by)

    def delete(self, project: str, inbox_id: str, *, by: Actor = APPLICATION) -> None:
        """Delete an inbox; its URL ends at once, its history stays.

        Raises:
            NotFound: no such inbox in the project.
            InvalidRequest: receivers listen to it.
        """
        self._store.inboxes.remove(self.get(project, inbox_id), by)
        self._receivers.forget(inbox_id)

    def get(self, project: str, inbox_id: str) -> Inbox:
        """One inbox; raises NotFound for an id that the project does not have."""
        return self._store.inboxes.get(project, inbox_id)

    def list(self, project: str, page: PageRequest | None = None) -> Page[Inbox]:
        """The project's inboxes, newest first."""
        return self._store.inboxes.page(project, page or PageRequest())

    def describe(self, inboxes: Collection[Inbox]) -> Mapping[str, InboxView]:
        """What people want to know about some inboxes, by their ids."""
        ids = [inbox.id for inbox in inboxes]
        keys, listening = self._store.inboxes.keys(ids), self._store.inboxes.listening(ids)
        return {
            inbox.id: InboxView(
                keys.get(inbox.id),
                listening.get(inbox.id, {}),
                self._receivers.problem_of_inbox(inbox),
            )
            for inbox in inboxes
        }

    def rotate_key(
        self,
        project: str,
        inbox_id: str,
        overlap: timedelta = KEY_OVERLAP,
        *,
        by: Actor = APPLICATION,
    ) -> str:
        """Give an inbox a new key; the old one works for the overlap, and then never again."""
        inbox, key = self.get(project, inbox_id), new_key()
        self._store.inboxes.rotate(inbox, key, overlap, by)
        return key

    def simulate(self, project: str, inbox_id: str, call: Call) -> Simulation:
        """Say who would do what on a call, and change nothing.

        Raises:
            NotFound: no such inbox in the project.
            InvalidPayload: the body is not of the inbox's format.
        """
        compiled = self._receivers.of_inbox(self.get(project, inbox_id))
        shared = self._store.projects.shares(project)
        return simulate_inbox(compiled, call, self._store.now(), shared=shared)
