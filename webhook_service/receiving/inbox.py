"""A compiled inbox: how a call is read once, and handed to every receiver that it is for.

Receivers are found by the repository of a push, so that what a call costs depends on those that
it is for, not on all that listen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidConfig, InvalidPayload, WebhookServiceError
from webhook_service.expressions.cel import new_meter, own_meter
from webhook_service.expressions.glob import is_pattern
from webhook_service.expressions.values import Meter
from webhook_service.failpoints import failpoint
from webhook_service.formats.format import Parsed
from webhook_service.match.repositories import RepositoryRule
from webhook_service.model.delivery import (
    Basis,
    Call,
    Decision,
    Delivery,
    DeliveryState,
    Item,
    Reason,
    Taker,
    Work,
)
from webhook_service.model.ids import DELIVERY, new_id
from webhook_service.model.inbox import Inbox
from webhook_service.model.receiver import Receiver
from webhook_service.receiving.compiled import CompiledReceiver, ignored_item, whole_reason
from webhook_service.receiving.gate import Gate

MAX_WORKS = 1000
"""How often one call may be for a receiver: once for each push and receiver."""
# What is looked through for every push: receivers with patterns, or several of one repository.
QUICK_LISTENERS = 20


@dataclass(frozen=True, slots=True)
class Listener:
    """A receiver that listens to an inbox.

    Attributes:
        rules: which repositories are for it.
        compiled: None if it cannot be used; ``problem`` says why.
    """

    receiver: Receiver
    rules: Sequence[RepositoryRule]
    compiled: CompiledReceiver | None
    problem: str = ""

    def is_for(self, event: PushEvent) -> bool:
        """Whether the receiver names the repository of a push."""
        return any(rule.matches(event) for rule in self.rules)

    def take(
        self, event: PushEvent, received: datetime, message: str | None, meter: Meter
    ) -> Work | Item:
        """What the receiver makes of a push; one that is broken harms no other."""
        own = self.receiver.id
        try:
            if self.compiled is None:
                raise InvalidConfig(self.problem)
            found = self.compiled.take(event, received, message, None, meter)
        except WebhookServiceError as exc:
            unusable = ignored_item(event.image, Reason.UNUSABLE, exc.message)
            return replace(unusable, receiver=own)
        if isinstance(found, Item):
            return replace(found, receiver=own)
        # Asked last: a window can cost more than all other rules.
        frozen = self.compiled.matcher.frozen_until(received)
        return replace(found, taker=Taker(own, self.receiver.spec.driver), held_until=frozen)


class Listeners:
    """Finds listeners by the repository of a push."""

    def __init__(self, listeners: Iterable[Listener]) -> None:
        self.by_id = {each.receiver.id: each for each in listeners}
        self._named: defaultdict[tuple[str | None, str], list[Listener]] = defaultdict(list)
        self._others: list[Listener] = []
        for listener in self.by_id.values():
            if any(is_pattern(rule.path) for rule in listener.rules):
                self._others.append(listener)
            else:
                for place in {(rule.host, rule.path) for rule in listener.rules}:
                    self._named[place].append(listener)
        longest = max(map(len, self._named.values()), default=0)
        cheap = all(each.compiled is None or each.compiled.is_cheap for each in self.by_id.values())
        self.is_cheap = cheap and longest + len(self._others) <= QUICK_LISTENERS

    def of(self, event: PushEvent) -> Iterator[Listener]:
        """Those that a push is for."""
        found = {
            listener.receiver.id: listener
            for host in (event.registry, None)
            for listener in self._named.get((host, event.repository), ())
        }
        yield from found.values()
        for listener in self._others:
            if listener.is_for(event):
                yield listener


@dataclass(frozen=True, slots=True)
class CompiledInbox:
    """One inbox with those who listen, ready for calls."""

    inbox: Inbox
    gate: Gate
    listeners: Listeners

    def decide(self, call: Call, received: datetime, basis: Basis | None = None) -> Decision:
        """Verify and read a call, and match it for each receiver. Nothing is stored yet.

        Args:
            received: when the call arrived.
            basis: what was remembered of the inbox, if it was not looked up for this call.

        Raises:
            Unauthenticated: the call is not proven genuine.
            IssuerUnavailable: that cannot be told now; the sender should try again.
            InvalidPayload: the body is not of the inbox's format, or brings too much.
            PluginUnavailable: the format or the scheme failed.
        """
        message = self.gate.verify(call)
        parsed = self.gate.parse(call)
        works, ignored = self.match(parsed, received, message)
        delivery = Delivery(
            id=new_id(DELIVERY),
            project=self.inbox.project,
            receiver=self.inbox.id,
            state=DeliveryState.ACCEPTED if works else DeliveryState.IGNORED,
            received=received,
            reason=None if works else whole_reason(parsed, ignored),
            items=(*ignored, *[work.item for work in works]),
            executions=tuple([work.execution for work in works]),
            client=call.client,
            reply=parsed.reply,
        )
        failpoint("accept.matched")
        return Decision(delivery, works, "", self.gate.format_name, call.body, basis)

    def match(
        self, parsed: Parsed, received: datetime, message: str | None = None
    ) -> tuple[list[Work], list[Item]]:
        """The work of each receiver that a push is for, and why others of these do not take it.

        A push that is for nobody is one item.

        Raises:
            InvalidPayload: it would be too much work for one call.
        """
        ignored = [ignored_item(drop.subject, drop.reason) for drop in parsed.dropped]
        works: list[Work] = []
        pool = new_meter(len(parsed.events))
        count = 0
        for event in parsed.events:
            found = [
                listener.take(event, received, message, own_meter(pool))
                for listener in self.listeners.of(event)
            ]
            if not found:
                ignored.append(self._for_nobody(event))
            works += [each for each in found if isinstance(each, Work)]
            ignored += [each for each in found if isinstance(each, Item)]
            count += len(found)
            if count > MAX_WORKS:
                raise InvalidPayload(
                    f"The call is for receivers more than {MAX_WORKS} times in all: let the sender "
                    "send fewer pushes in one call, or use several inboxes."
                )
        return works, ignored

    def is_quick(self, call: Call) -> bool:
        """Whether the call can be decided on without waiting, and in a few milliseconds."""
        return self.listeners.is_cheap and self.gate.is_quick(call)

    def basis(self, mark: str) -> Basis:
        """What has to be still so when a decision is stored that was made from memory.

        Args:
            mark: the fingerprint of the key.
        """
        return Basis(mark, self.inbox.id, self.inbox.generation)

    def _for_nobody(self, event: PushEvent) -> Item:
        count = len(self.listeners.by_id)
        message = f"None of the {count} receivers that listen names this repository."
        return ignored_item(event.image, Reason.REPOSITORY_MISMATCH, message)
