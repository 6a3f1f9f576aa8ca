"""Voting by link: what a link asks about, and the vote of whom it was sent to."""

from __future__ import annotations

from contextlib import suppress

from webhook_service.driver import Context
from webhook_service.errors import (
    InvalidConfig,
    InvalidRequest,
    NotFound,
    UnknownLink,
    WebhookServiceError,
)
from webhook_service.model.execution import Execution
from webhook_service.model.people.audit import Actor
from webhook_service.model.people.ballot import Ballot
from webhook_service.model.receiver import Receiver
from webhook_service.people.interventions import Interventions
from webhook_service.plugins.boundary import guarded
from webhook_service.receiving.cache import CompiledReceivers
from webhook_service.store.store import Store

UNKNOWN = (
    "This is no link to vote that counts. Either a part of it was cut off on the way: copy the "
    "whole link out of the message. Or the notification that sent it was changed or deleted "
    "since: then vote in the console, or with the command 'webhook-service execution approve'."
)


class Voting:
    """Takes votes from whoever has a link: it is the only credential.

    A link is for one execution and one voter, ends by itself, and is used once. What remembers the
    use is the vote, so it holds for all hosts.
    """

    def __init__(
        self, store: Store, receivers: CompiledReceivers, interventions: Interventions
    ) -> None:
        self._store = store
        self._receivers = receivers
        self._interventions = interventions

    def look(self, text: str) -> Ballot:
        """What a link asks about, and whether it can be used. Nothing changes by looking.

        Raises:
            UnknownLink: it was not made here, or its notification is another now.
        """
        read = self._store.vote_links.read(text)
        if read is None:
            raise UnknownLink(UNKNOWN)
        link, signature = read
        notification = self._store.notifications.find(link.notification)
        if notification is None or not notification.spec.votes:
            raise UnknownLink(UNKNOWN)
        shared, config = notification.spec.voter, notification.spec.full_config
        if not self._store.vote_links.is_genuine(link, signature, shared, config):
            raise UnknownLink(UNKNOWN)
        try:
            execution = self._store.executions.get(notification.project, link.execution)
        except NotFound:
            raise UnknownLink(
                "What this link was about is no longer kept: it ended long ago."
            ) from None
        receiver = self._receiver(execution)
        targets = () if receiver is None else self._targets(receiver)
        voter = link.voter or shared
        return Ballot(link, execution, receiver, targets, voter, self._store.now())

    def vote(self, text: str, *, approved: bool, address: str) -> Ballot:
        """Cast the vote of a link, if it can be used; gives the ballot as it is then.

        Args:
            address: where the vote came from, for the audit.

        Raises:
            UnknownLink: see ``look``.
        """
        ballot = self.look(text)
        if not ballot.open:
            return ballot
        by, found = Actor(ballot.voter, "link", address), ballot.execution
        do = self._interventions.approve if approved else self._interventions.refuse
        # What came between is told by the ballot itself.
        with suppress(NotFound, InvalidRequest):
            do(found.project, found.id, by, link_of=ballot.link.notification)
        return self.look(text)

    def _receiver(self, execution: Execution) -> Receiver | None:
        with suppress(NotFound):
            return self._store.receivers.get(execution.project, execution.receiver)
        return None

    def _targets(self, receiver: Receiver) -> tuple[str, ...]:
        """What the receiver may change; nothing where that cannot be told now."""
        context = Context.without_execution(receiver.project, receiver.id, shared=False)
        with suppress(WebhookServiceError):
            compiled = self._receivers.of(receiver)
            with guarded(f"The driver {receiver.spec.driver}", InvalidConfig):
                named = compiled.driver.targets(compiled.config, context)
                return tuple(str(each) for each in named)
        return ()
