"""A compiled receiver: how the calls of one receiver are verified, read and matched."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import NoneType
from typing import Any

from webhook_service.driver import (
    Context,
    DriverConfig,
    Observed,
    Plan,
    PushEvent,
    Request,
    WebhookDriver,
    is_private_header,
)
from webhook_service.errors import (
    InvalidConfig,
    InvalidPayload,
    PluginUnavailable,
    WebhookServiceError,
)
from webhook_service.expressions.cel import new_meter
from webhook_service.expressions.values import ExpressionFailed, Meter
from webhook_service.failpoints import failpoint
from webhook_service.formats.format import Parsed
from webhook_service.match.matcher import Matcher, compile_match
from webhook_service.model.delivery import (
    Basis,
    Call,
    Decision,
    Delivery,
    DeliveryState,
    Item,
    Reason,
    Work,
)
from webhook_service.model.ids import DELIVERY, EXECUTION, new_id
from webhook_service.model.order import message_identity, order_time, push_identity
from webhook_service.model.receiver import Receiver, config_field
from webhook_service.plugins.boundary import (
    ask,
    guarded,
    storable_observed,
    storable_plan,
    storable_slot,
    storable_warnings,
)
from webhook_service.plugins.bounded import is_ours
from webhook_service.plugins.instances import Drivers
from webhook_service.receiving.gate import CONFIG_ERRORS, Gate, read_options
from webhook_service.receiving.requirements import require_listening, require_registry

# What every driver of raw calls gets, beside the headers that it asks for.
SAFE_HEADERS = frozenset({"accept", "content-type", "user-agent", "traceparent", "tracestate"})
SECRET_QUERY = frozenset({"key", "projectId", "token"})


@dataclass(frozen=True, slots=True)
class CompiledReceiver:
    """One receiver with its plug-ins and rules, ready for calls.

    Attributes:
        gate: of its own URL, or of the inbox that it is compiled for.
        headers: those of a raw call that the driver gets.
        is_cheap: whether what its owner wrote costs next to nothing for any call, and no code of
            others names the slot.
    """

    receiver: Receiver
    driver: WebhookDriver[Any, Any]
    config: DriverConfig
    gate: Gate
    matcher: Matcher
    headers: frozenset[str]
    is_cheap: bool

    def validate(self, *, shared: bool) -> None:
        """Let the driver look at the live system, before the receiver is stored.

        Args:
            shared: whether other projects use the service too.

        Raises:
            InvalidConfig: it cannot work; the message says what to change.
        """
        context = Context.without_execution(self.receiver.project, self.receiver.id, shared=shared)
        with guarded(f"The driver {self.receiver.spec.driver}", InvalidConfig):
            ask(NoneType, self.driver.validate, self.config, context)

    def warnings(self, *, shared: bool) -> tuple[str, ...]:
        """What its driver has to say about a config that works; nothing if it cannot look now."""
        context = Context.without_execution(self.receiver.project, self.receiver.id, shared=shared)
        with (
            suppress(WebhookServiceError),
            guarded(f"The driver {self.receiver.spec.driver}", PluginUnavailable),
        ):
            return storable_warnings(self.driver.warnings(self.config, context))
        return ()

    def observe(self, event: PushEvent, *, shared: bool) -> tuple[Observed, ...] | None:
        """What its target runs now; None if its driver cannot tell.

        Raises:
            DriverError, Retry, PluginUnavailable: nobody knows; the message says why.
        """
        context = Context.without_execution(
            self.receiver.project,
            self.receiver.id,
            shared=shared,
            mirrors=self.matcher.mirrors,
        )
        with guarded(f"The driver {self.receiver.spec.driver}", PluginUnavailable):
            return storable_observed(self.driver.observe(self.config, event, context))

    def plan(
        self, event: PushEvent | Request, identity: str = "", *, named: bool, shared: bool
    ) -> Plan:
        """What its driver would change now for an event.

        Raises:
            DriverError, Retry, PluginUnavailable: nobody knows; the message says why.
        """
        context = Context.without_execution(
            self.receiver.project,
            self.receiver.id,
            shared=shared,
            identity=identity,
            named=named,
            mirrors=self.matcher.mirrors,
        )
        with guarded(f"The driver {self.receiver.spec.driver}", PluginUnavailable):
            return storable_plan(self.driver.plan(self.config, event, context))

    def decide(self, call: Call, received: datetime, basis: Basis | None = None) -> Decision:
        """Verify, read and match a call: steps 3 to 5 of a delivery. Nothing is stored yet.

        Args:
            received: when the call arrived.
            basis: what was remembered of the receiver, if it was not looked up for this call.

        Raises:
            Unauthenticated: the call is not proven genuine.
            IssuerUnavailable: that cannot be told now; the sender should try again.
            InvalidPayload: the body is not of the receiver's format.
            PluginUnavailable: a plug-in of the receiver failed; nothing can be decided.
        """
        message = self.gate.verify(call)
        parsed = self.parse(call)
        decision = self.decide_on(parsed, call, received, message, basis)
        failpoint("accept.matched")
        return decision

    def parse(self, call: Call) -> Parsed | Request:
        """What the call brings: parsed pushes, or itself for a driver of raw requests.

        Raises:
            InvalidPayload: the body is not of the receiver's format.
            PluginUnavailable: the format failed.
        """
        if self.driver.consumes is Request:
            return self._raw_request(call)
        try:
            return self.gate.parse(call)
        except InvalidPayload as exc:
            raise InvalidPayload(exc.message, self.receiver.spec.driver) from exc

    def decide_on(
        self,
        parsed: Parsed | Request,
        call: Call,
        received: datetime,
        message: str | None,
        basis: Basis | None = None,
    ) -> Decision:
        """Match what a call brings, by the receiver's rules.

        Args:
            message: the sender's own name for the call, by which a copy of it is known.
        """
        works, ignored = self.match(parsed, received, message)
        spec = self.receiver.spec
        delivery = Delivery(
            id=new_id(DELIVERY),
            project=self.receiver.project,
            receiver=self.receiver.id,
            state=DeliveryState.ACCEPTED if works else DeliveryState.IGNORED,
            received=received,
            reason=None if works else whole_reason(parsed, ignored),
            items=(*ignored, *[work.item for work in works]),
            executions=tuple([work.execution for work in works]),
            client=call.client,
            reply=None if isinstance(parsed, Request) else parsed.reply,
            respond=spec.respond,
        )
        return Decision(delivery, works, spec.driver, self.gate.format_name, call.body, basis)

    def match(
        self, parsed: Parsed | Request, received: datetime, message: str | None = None
    ) -> tuple[list[Work], list[Item]]:
        """The work that passes the receiver's rules, and what does not, with its reason."""
        frozen = self.matcher.frozen_until(received)
        if isinstance(parsed, Request):
            if self.receiver.suspended:
                return [], [ignored_item("request", Reason.SUSPENDED)]
            return [self._request_work(parsed, received, message, frozen)], []
        ignored = [ignored_item(drop.subject, drop.reason) for drop in parsed.dropped]
        works = []
        meter = new_meter(len(parsed.events))
        for event in parsed.events:
            found = self.take(event, received, message, frozen, meter)
            if isinstance(found, Work):
                works.append(found)
            else:
                ignored.append(found)
        return works, ignored

    def take(
        self,
        event: PushEvent,
        received: datetime,
        message: str | None,
        frozen: datetime | None,
        meter: Meter,
    ) -> Work | Item:
        """The work that a push is for the receiver, or the item that says why it is none.

        Args:
            frozen: until when the receiver changes nothing.
            meter: what its filter may cost, for all pushes of the call.
        """
        if self.receiver.suspended:
            return ignored_item(event.image, Reason.SUSPENDED)
        try:
            reason = self.matcher.refusal(event, meter)
        except ExpressionFailed as exc:
            return ignored_item(event.image, Reason.FILTER_ERROR, f"match.when: {exc}")
        if reason is not None:
            return ignored_item(event.image, reason)
        return self._push_work(event, received, message, frozen)

    def is_quick(self, call: Call) -> bool:
        """Whether the call can be decided on without waiting, and in a few milliseconds."""
        return self.is_cheap and self.gate.is_quick(call)

    def basis(self, mark: str) -> Basis:
        """What has to be still so when a decision is stored that was made from memory.

        Args:
            mark: the fingerprint of the key.
        """
        return Basis(mark, self.receiver.id, self.receiver.version)

    def slot_of(self, event: PushEvent | Request) -> str:
        """The slot of an event, as executions name it."""
        return f"{self.receiver.project}/{self._slot(event) or self.receiver.id}"

    def _slot(self, event: PushEvent | Request) -> str:
        driver = f"The driver {self.receiver.spec.driver} of the receiver {self.receiver.id}"
        with guarded(driver, PluginUnavailable, ()):
            return storable_slot(self.driver.slot(self.config, event))

    def _raw_request(self, call: Call) -> Request:
        query = {name: value for name, value in call.query.items() if name not in SECRET_QUERY}
        headers = {name: value for name, value in call.headers.items() if name in self.headers}
        return Request(body=call.body, headers=headers, query=query)

    def _push_work(
        self, event: PushEvent, received: datetime, message: str | None, frozen: datetime | None
    ) -> Work:
        return Work(
            execution=new_id(EXECUTION),
            event=event,
            subject=event.image,
            identity=push_identity(self.gate.format_name, event, received, message),
            slot=self._slot(event),
            ordered_at=order_time(event, received),
            named=self.matcher.names(event),
            held_until=frozen,
            approval=self.receiver.spec.approval,
        )

    def _request_work(
        self, request: Request, received: datetime, message: str | None, frozen: datetime | None
    ) -> Work:
        execution = new_id(EXECUTION)
        return Work(
            execution=execution,
            event=request,
            subject="request",
            identity=execution if message is None else message_identity(message),
            slot=self._slot(request),
            ordered_at=received,
            held_until=frozen,
            approval=self.receiver.spec.approval,
        )


def compile_receiver(receiver: Receiver, drivers: Drivers, gate: Gate) -> CompiledReceiver:
    """Compile a receiver.

    Args:
        gate: through which calls come to it.

    Raises:
        InvalidConfig: a part of it cannot be used; the message says which.
        PluginUnavailable: its driver is not installed, or failed.
    """
    spec = receiver.spec
    driver = drivers.get(spec.driver)
    with guarded(f"The config of the driver {spec.driver}", PluginUnavailable, CONFIG_ERRORS):
        config = read_options(driver.Config, spec.full_config, config_field(spec.driver))
    matcher = compile_match(spec.match, gate.home)
    require_registry(receiver, matcher)
    require_listening(receiver, driver)
    return CompiledReceiver(
        receiver=receiver,
        driver=driver,
        config=config,
        gate=gate,
        matcher=matcher,
        headers=_headers(driver, config),
        is_cheap=matcher.is_cheap and is_ours(driver.slot),
    )


def _headers(driver: WebhookDriver[Any, Any], config: DriverConfig) -> frozenset[str]:
    """The headers of a call that reach the driver."""
    if driver.consumes is not Request:
        return frozenset()
    with guarded(f"The driver {type(driver).__name__}", PluginUnavailable, ()):
        asked = {str(name).lower() for name in driver.headers(config)}
    return SAFE_HEADERS | {name for name in asked if not is_private_header(name)}


def ignored_item(subject: str, reason: str | None, message: str | None = None) -> Item:
    """An item that is no work; a format of somebody else's may forget to say why."""
    said = str(reason or Reason.NOT_A_PUSH)
    return Item(subject, DeliveryState.IGNORED, said, message=message)


def whole_reason(parsed: Parsed | Request, ignored: Sequence[Item]) -> str:
    """Why a call is ignored as a whole: there may be nothing in it."""
    if ignored:
        return str(ignored[0].reason)
    answered = isinstance(parsed, Parsed) and parsed.reply is not None
    return Reason.HANDSHAKE if answered else Reason.EMPTY
