"""A compiled receiver: how the calls of one receiver are verified, read and matched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from types import NoneType
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from webhook_service.driver import (
    Context,
    DriverConfig,
    PushEvent,
    Request,
    WebhookDriver,
    is_private_header,
)
from webhook_service.errors import (
    InvalidConfig,
    InvalidPayload,
    InvalidRequest,
    IssuerUnavailable,
    PluginUnavailable,
    Unauthenticated,
    WebhookServiceError,
)
from webhook_service.expressions.cel import new_meter
from webhook_service.expressions.values import ExpressionFailed, Meter
from webhook_service.failpoints import failpoint
from webhook_service.formats.format import Format, FormatOptions, Parsed
from webhook_service.formats.reading.expressions import is_cel
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
from webhook_service.model.ids import DELIVERY, EXECUTION, fingerprint, new_id
from webhook_service.model.order import message_identity, order_time, push_identity
from webhook_service.model.receiver import Receiver, config_field
from webhook_service.model.secret_types import holds_secret
from webhook_service.plugins.boundary import ask, guarded, storable_parsed, storable_slot
from webhook_service.plugins.instances import Drivers, Formats, Schemes
from webhook_service.receiving.body import describe
from webhook_service.schemes.scheme import Scheme, SchemeOptions

# What every driver of raw calls gets, beside the headers that it asks for.
SAFE_HEADERS = frozenset({"accept", "content-type", "user-agent", "traceparent", "tracestate"})
SECRET_QUERY = frozenset({"key", "projectId", "token"})
# What the worst body of this size costs does not hold up other calls.
QUICK_BODY = 16 * 1024
# What the contracts let plug-ins raise.
PROOF_ERRORS = (Unauthenticated, IssuerUnavailable)
BODY_ERRORS = (InvalidRequest, PluginUnavailable)
CONFIG_ERRORS = (InvalidConfig, PluginUnavailable)

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class CompiledReceiver:
    """One receiver with its plug-ins and rules, ready for calls.

    Attributes:
        format: bound to ``format_options``; ``scheme`` likewise.
        headers: those of a raw call that the driver gets.
        is_cheap: whether what its owner wrote costs next to nothing for any call.
    """

    receiver: Receiver
    driver: WebhookDriver[Any, Any]
    config: DriverConfig
    format: Format[Any]
    format_options: FormatOptions
    scheme: Scheme[Any]
    scheme_options: SchemeOptions
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
        message = self.verify(call)
        parsed = self.parse(call)
        decision = self.decide_on(parsed, call, received, message, basis)
        failpoint("accept.matched")
        return decision

    def verify(self, call: Call) -> str | None:
        """Let a genuine call pass; gives the sender's id of it, if the proof covers one.

        Raises:
            Unauthenticated, IssuerUnavailable, PluginUnavailable: see ``decide``.
        """
        own = self.scheme_options
        with self._guarded("scheme", self.receiver.spec.verify.scheme, PROOF_ERRORS):
            ask(NoneType, self.scheme.check, call, own)
            ask(NoneType, self.scheme.greet, call, own)
            message: str | None = ask(str | None, self.scheme.message_id, call, own)
        return message or None  # an empty one would make copies of all calls

    def parse(self, call: Call) -> Parsed | Request:
        """What the call brings: parsed pushes, or itself for a driver of raw requests.

        Raises:
            InvalidPayload: the body is not of the receiver's format.
            PluginUnavailable: the format failed.
        """
        if self.driver.consumes is Request:
            return self._raw_request(call)
        spec = self.receiver.spec
        try:
            with self._guarded("format", spec.source.format, BODY_ERRORS):
                parsed = self.format.parse(call.body, call.headers, self.format_options)
                return storable_parsed(parsed)
        except InvalidPayload as exc:
            raise InvalidPayload(exc.message, spec.driver) from exc

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
            reason=None if works else _reason(parsed, ignored),
            items=(*ignored, *[work.item for work in works]),
            executions=tuple([work.execution for work in works]),
            client=call.client,
            reply=None if isinstance(parsed, Request) else parsed.reply,
            respond=spec.respond,
        )
        return Decision(delivery, works, spec.driver, spec.source.format, call.body, basis)

    def match(
        self, parsed: Parsed | Request, received: datetime, message: str | None = None
    ) -> tuple[list[Work], list[Item]]:
        """The work that passes the receiver's rules, and what does not, with its reason."""
        frozen = self.matcher.frozen_until(received)
        if isinstance(parsed, Request):
            if self.receiver.suspended:
                return [], [_ignored("request", Reason.SUSPENDED)]
            return [self._request_work(parsed, received, message, frozen)], []
        ignored = [_ignored(drop.subject, drop.reason) for drop in parsed.dropped]
        works = []
        meter = new_meter(len(parsed.events))
        for event in parsed.events:
            if (item := self._refusal(event, meter)) is not None:
                ignored.append(item)
            else:
                works.append(self._push_work(event, received, message, frozen))
        return works, ignored

    def _refusal(self, event: PushEvent, meter: Meter) -> Item | None:
        if self.receiver.suspended:
            return _ignored(event.image, Reason.SUSPENDED)
        try:
            reason = self.matcher.refusal(event, meter)
        except ExpressionFailed as exc:
            return _ignored(event.image, Reason.FILTER_ERROR, f"match.when: {exc}")
        return None if reason is None else _ignored(event.image, reason)

    def is_quick(self, call: Call) -> bool:
        """Whether the call can be decided on without waiting, and in a few milliseconds."""
        return self.is_cheap and self.scheme.computes_only and len(call.body) <= QUICK_BODY

    def basis(self, key: str) -> Basis:
        """What has to be still so when a decision is stored that was made from memory."""
        return Basis(fingerprint(key), self.receiver.id, self.receiver.version)

    def slot_of(self, event: PushEvent | Request) -> str:
        """The slot of an event, as executions name it."""
        return f"{self.receiver.project}/{self._slot(event) or self.receiver.id}"

    def _slot(self, event: PushEvent | Request) -> str:
        with self._guarded("driver", self.receiver.spec.driver, ()):
            return storable_slot(self.driver.slot(self.config, event))

    def _guarded(
        self, noun: str, name: str, passes: tuple[type[WebhookServiceError], ...]
    ) -> AbstractContextManager[None]:
        what = f"The {noun} {name} of the receiver {self.receiver.id}"
        return guarded(what, PluginUnavailable, passes)

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
            identity=push_identity(self.receiver.spec.source.format, event, received, message),
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


def compile_receiver(
    receiver: Receiver, drivers: Drivers, formats: Formats, schemes: Schemes
) -> CompiledReceiver:
    """Compile a receiver.

    Raises:
        InvalidConfig: a part of it cannot be used; the message says which.
        PluginUnavailable: its driver, format or scheme is not installed, or failed.
    """
    spec = receiver.spec
    driver = drivers.get(spec.driver)
    with guarded(f"The config of the driver {spec.driver}", PluginUnavailable, CONFIG_ERRORS):
        config = _options(driver.Config, spec.full_config, config_field(spec.driver))
    format_ = formats.get(spec.source.format)
    if holds_secret(format_.Options):
        raise PluginUnavailable(
            f"The format {spec.source.format} cannot be used: its options have a field for a "
            "secret, and `source` is stored and shown as it is. Secrets belong to a scheme."
        )
    with guarded(f"The format {spec.source.format}", PluginUnavailable, CONFIG_ERRORS):
        format_options = _options(format_.Options, spec.source.options, "source")
        format_ = ask(Format, format_.bind, format_options, formats.plugins.targets)
        home = ask(str | None, format_.home, format_options)
    scheme = schemes.get(spec.verify.scheme)
    with guarded(f"The scheme {spec.verify.scheme}", PluginUnavailable, CONFIG_ERRORS):
        scheme_options = _options(scheme.Options, spec.verify.options, "verify")
        scheme = ask(Scheme, scheme.bind, scheme_options, schemes.get)
    matcher = compile_match(spec.match, home)
    _check_registry(receiver, matcher)
    return CompiledReceiver(
        receiver=receiver,
        driver=driver,
        config=config,
        format=format_,
        format_options=format_options,
        scheme=scheme,
        scheme_options=scheme_options,
        matcher=matcher,
        headers=_headers(driver, config),
        is_cheap=matcher.is_cheap and not any(map(is_cel, spec.source.options.values())),
    )


def _check_registry(receiver: Receiver, matcher: Matcher) -> None:
    rule = receiver.spec.registry
    if rule is not None and not matcher.fixes_hosts:
        raise InvalidConfig(
            "registry: name the repositories with their registry in match.repositories, or a "
            "sender could choose which host is asked."
        )
    if rule is not None and rule.poll and matcher.named_images() is None:
        raise InvalidConfig(
            "registry.poll: match.repositories needs names without '*', for registries cannot be "
            "asked for patterns."
        )


def _headers(driver: WebhookDriver[Any, Any], config: DriverConfig) -> frozenset[str]:
    """The headers of a call that reach the driver."""
    if driver.consumes is not Request:
        return frozenset()
    with guarded(f"The driver {type(driver).__name__}", PluginUnavailable, ()):
        asked = {str(name).lower() for name in driver.headers(config)}
    return SAFE_HEADERS | {name for name in asked if not is_private_header(name)}


def _options(model: type[M], values: Mapping[str, Any], part: str) -> M:
    try:
        return model.model_validate(dict(values))
    except ValidationError as exc:
        raise InvalidConfig(describe(exc, part)) from exc


def _ignored(subject: str, reason: str | None, message: str | None = None) -> Item:
    """An item that is no work; a format of somebody else's may forget to say why."""
    said = str(reason or Reason.NOT_A_PUSH)
    return Item(subject, DeliveryState.IGNORED, said, message=message)


def _reason(parsed: Parsed | Request, ignored: Sequence[Item]) -> str:
    """Why a call is ignored as a whole: there may be nothing in it."""
    if ignored:
        return str(ignored[0].reason)
    answered = isinstance(parsed, Parsed) and parsed.reply is not None
    return Reason.HANDSHAKE if answered else Reason.EMPTY
