"""Notifications: whom people let be told, and what became of each notice."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from webhook_service.errors import InvalidConfig, NotFound, RoleNotAllowed
from webhook_service.model.as_json import time_to_json
from webhook_service.model.execution import Execution
from webhook_service.model.ids import EXECUTION, new_id, require_project_id
from webhook_service.model.notice import Happened, Notice
from webhook_service.model.notification import (
    NOTIFICATION,
    NoticeSent,
    Notification,
    NotificationSpec,
    notices_of,
    require_room_for_notices,
)
from webhook_service.model.pages import Page, PageRequest
from webhook_service.model.people.audit import APPLICATION, Actor
from webhook_service.model.people.tokens import Role
from webhook_service.plugins.instances import NotificationKinds
from webhook_service.receiving.bodies.notification import read_notification
from webhook_service.receiving.bodies.receiver import require_version
from webhook_service.store.store import Store


class Notifying:
    """Makes, changes, tries and ends notifications, each within a project.

    An id of another project raises NotFound. ``by`` says who does it, for the audit.

    Args:
        kinds: of targets that can be named.
        wake: tells the engine of executions that may run now.
        base_url: the address that people reach; without it no notification can ask for votes.
    """

    def __init__(
        self,
        store: Store,
        kinds: NotificationKinds,
        wake: Callable[[Sequence[str]], None],
        base_url: str | None = None,
    ) -> None:
        self.kinds = kinds
        self._base_url = base_url
        self._store = store
        self._wake = wake

    def create(
        self,
        project: str,
        body: Mapping[str, Any],
        *,
        by: Actor = APPLICATION,
        role: Role = Role.OWNER,
    ) -> Notification:
        """Check a notification's body and store it.

        Args:
            body: as in the JSON API: ``name``, ``kind``, ``on``, ``<kind>Config``, ``when``,
                ``votes``.
            role: of whoever asks for it; owners alone say who may vote.

        Raises:
            RoleNotAllowed: it asks for votes, which needs an owner.
            InvalidConfig: it cannot work; the message says what to change.
            LimitReached: the project has too many.
        """
        require_project_id(project)
        require_room_for_notices(project)
        spec, now = read_notification(body, self.kinds), self._store.now()
        self._check_votes(role, None, spec)
        made = Notification(new_id(NOTIFICATION), project, spec, now, now)
        self._store.notifications.add(made, by)
        return made

    def update(
        self,
        project: str,
        notification_id: str,
        body: Mapping[str, Any],
        *,
        version: int | None = None,
        by: Actor = APPLICATION,
        role: Role = Role.OWNER,
    ) -> Notification:
        """Change the fields that the body has; what waits to be sent goes to the new target.

        Links to vote that it has sent end if its name or its config changes.

        Args:
            version: the one that the change is made for, if it must not be made for a newer one.
            role: see ``create``.

        Raises:
            RoleNotAllowed: it asks for votes, or did, which needs an owner.
            NotFound: no such notification in the project.
            InvalidConfig: the result cannot work.
            ChangedMeanwhile, OutdatedVersion: somebody else changed it.
        """
        old = self._store.notifications.get(project, notification_id)
        require_version("notification", old.version, version)
        spec = read_notification(body, self.kinds, old.spec)
        self._check_votes(role, old.spec, spec)
        return self._store.notifications.update(old, spec, by)

    def delete(self, project: str, notification_id: str, *, by: Actor = APPLICATION) -> None:
        """End a notification; what it has not sent yet is not sent any more."""
        self._store.notifications.remove(self.get(project, notification_id), by)

    def get(self, project: str, notification_id: str) -> Notification:
        """One notification; raises NotFound for an id that the project does not have."""
        return self._store.notifications.get(project, notification_id)

    def list(self, project: str, page: PageRequest | None = None) -> Page[Notification]:
        """The project's notifications, newest first."""
        return self._store.notifications.page(project, page or PageRequest())

    def last(self, project: str, ids: Collection[str]) -> Mapping[str, NoticeSent]:
        """The newest notice of some notifications, by their ids; without one there is none."""
        return self._store.notifications.last(project, ids)

    def notices(
        self, project: str, notification_id: str, page: PageRequest | None = None
    ) -> Page[NoticeSent]:
        """What a notification has sent or is to send, newest first."""
        found = self.get(project, notification_id)
        return self._store.notifications.notices(project, found.id, page or PageRequest())

    def test(self, project: str, notification_id: str, *, by: Actor = APPLICATION) -> Execution:
        """Send a test now, whatever the notification tells and filters otherwise."""
        found = self.get(project, notification_id)
        notice = Notice(
            happened=Happened.TEST,
            project=project,
            at=time_to_json(self._store.now()) or "",
            receiver=found.name,
            receiver_id=found.id,
            message=f"The notification {found.name} works: messages of it arrive here.",
            by=by.name,
        )
        made = self._store.notifications.test(found, notice, by)
        self._wake([made.id])
        return made

    def replay(
        self, project: str, notification_id: str, notice_id: str, *, by: Actor = APPLICATION
    ) -> Execution:
        """Send an ended notice once more, as a new one.

        Raises:
            NotFound: the notification has no such notice.
            InvalidRequest: it has not ended yet.
        """
        found = self.notice(project, notification_id, notice_id)
        made = self._store.replays.replay(found.project, found.id, new_id(EXECUTION), False, by)
        self._wake([made.id])
        return made

    def notice(self, project: str, notification_id: str, notice_id: str) -> Execution:
        """The execution of a notice, with its attempts.

        Raises:
            NotFound: the notification has no such notice.
        """
        found = self._store.executions.get(notices_of(project), notice_id)
        if found.receiver != notification_id:
            raise NotFound("Notice not found")
        return found

    def _check_votes(self, role: Role, old: NotificationSpec | None, new: NotificationSpec) -> None:
        """Who is told gets votes: that is a way around approvals, and owners alone may go it."""
        if role is not Role.OWNER and (new.votes or (old is not None and old.votes)):
            raise RoleNotAllowed(
                "votes: who is sent a link to vote can approve pushes, so only an owner of the "
                "project makes or changes such a notification."
            )
        if new.votes and self._base_url is None:
            raise InvalidConfig(
                "votes: a link needs the address that people reach: an operator sets "
                "WEBHOOK_SERVICE_BASE_URL for the service, and for this command."
            )
