"""A route: one receiver, compiled for its calls (verify, parse, match)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from webhook_service.driver import DriverConfig, PushEvent, Request, WebhookDriver
from webhook_service.errors import InvalidConfig, InvalidPayload, WebhookServiceError
from webhook_service.formats.format import Format, FormatOptions, Parsed
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
from webhook_service.plugins.discovery import Plugins
from webhook_service.plugins.schemes import Schemes
from webhook_service.receiving.body import describe
from webhook_service.schemes.scheme import Scheme, SchemeOptions

# Of a raw request, drivers see these and no credential that a caller may have sent along.
SAFE_HEADERS = frozenset({"accept", "content-type", "user-agent", "traceparent", "tracestate"})
SECRET_QUERY = frozenset({"key", "projectId", "token"})
# What the worst body of this size costs does not hold up other calls.
QUICK_BODY = 16 * 1024

log = logging.getLogger(__name__)
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Route:
    """How the calls of one receiver are verified, read and matched."""

    receiver: Receiver
    driver: WebhookDriver[Any, Any]
    config: DriverConfig
    format: Format[Any]
    format_options: FormatOptions
    scheme: Scheme[Any]
    scheme_options: SchemeOptions
    matcher: Matcher

    def is_quick(self, call: Call) -> bool:
        """Whether the call can be decided on without waiting, and in a few milliseconds."""
        return self.scheme.computes_only and len(call.body) <= QUICK_BODY

    def verify(self, call: Call) -> None:
        """Let a genuine call pass.

        Raises:
            Unauthenticated: it is not proven genuine.
            IssuerUnavailable: that cannot be told now.
        """
        self.scheme.check(call, self.scheme_options)

    def greet(self, call: Call) -> None:
        """Do what the sender of a verified call asks for before it sends pushes.

        Raises:
            IssuerUnavailable: it could not be done now.
        """
        self.scheme.greet(call, self.scheme_options)

    def message_id(self, call: Call) -> str | None:
        """The sender's own name for a verified call, if its scheme proves one."""
        return self.scheme.message_id(call, self.scheme_options)

    def parse(self, call: Call) -> Parsed | Request:
        """What the call brings: parsed pushes, or itself for a driver of raw requests.

        Raises:
            InvalidPayload: the body is not of the receiver's format.
        """
        if self.driver.consumes is Request:
            return _raw_request(call)
        try:
            return self.format.parse(call.body, call.headers, self.format_options)
        except InvalidPayload as exc:
            raise InvalidPayload(exc.message, self.receiver.spec.driver) from exc
        except WebhookServiceError:
            raise
        except Exception as exc:
            log.exception("The format %s crashed on a body.", self.receiver.spec.source.format)
            message = "The body cannot be read by the receiver's format."
            raise InvalidPayload(message, self.receiver.spec.driver) from exc

    def slot_of(self, event: PushEvent | Request) -> str:
        """The slot of an event, as executions name it."""
        return f"{self.receiver.project}/{self.driver.slot(self.config, event) or self.receiver.id}"

    def match(
        self, parsed: Parsed | Request, received: datetime, message: str | None = None
    ) -> tuple[list[Work], list[Item]]:
        """The work that passes the receiver's rules, and what does not, with its reason.

        Args:
            message: the call's ``message_id``, by which a copy of it is known.
        """
        if isinstance(parsed, Request):
            if self.receiver.suspended:
                return [], [_ignored("request", Reason.SUSPENDED)]
            return [self._request_work(parsed, received, message)], []
        items = [_ignored(drop.subject, drop.reason) for drop in parsed.dropped]
        works = []
        for event in parsed.events:
            if (reason := self._refusal(event)) is not None:
                items.append(_ignored(event.image, reason))
            else:
                works.append(self._push_work(event, received, message))
        return works, items

    def decide(
        self,
        parsed: Parsed | Request,
        received: datetime,
        message: str | None,
        call: Call,
        basis: Basis | None = None,
    ) -> Decision:
        """Match a call; the answer to it stands, and nothing is stored yet.

        Args:
            message: see ``match``.
            basis: what was remembered of the receiver, if it was not looked up for this call.
        """
        works, items = self.match(parsed, received, message)
        spec = self.receiver.spec
        delivery = Delivery(
            id=new_id(DELIVERY),
            project=self.receiver.project,
            receiver=self.receiver.id,
            state=DeliveryState.ACCEPTED if works else DeliveryState.IGNORED,
            received=received,
            reason=items[0].reason if items and not works else None,
            items=(*items, *[work.item for work in works]),
            executions=tuple([work.execution for work in works]),
            client=call.client,
            reply=None if isinstance(parsed, Request) else parsed.reply,
            respond=spec.respond,
        )
        return Decision(delivery, works, spec.driver, spec.source.format, call.body, basis)

    def _refusal(self, event: PushEvent) -> Reason | None:
        return Reason.SUSPENDED if self.receiver.suspended else self.matcher.refusal(event)

    def _push_work(self, event: PushEvent, received: datetime, message: str | None) -> Work:
        return Work(
            execution=new_id(EXECUTION),
            event=event,
            subject=event.image,
            identity=push_identity(self.receiver.spec.source.format, event, received, message),
            slot=self.driver.slot(self.config, event),
            ordered_at=order_time(event, received),
            named=self.matcher.names(event),
            held_until=self.matcher.frozen_until(received),
            approval=self.receiver.spec.approval,
        )

    def _request_work(self, request: Request, received: datetime, message: str | None) -> Work:
        execution = new_id(EXECUTION)
        identity = execution if message is None else message_identity(message)
        slot = self.driver.slot(self.config, request)
        held_until = self.matcher.frozen_until(received)
        return Work(
            execution,
            request,
            "request",
            identity,
            slot,
            received,
            held_until=held_until,
            approval=self.receiver.spec.approval,
        )


def compile_route(
    receiver: Receiver,
    driver: WebhookDriver[Any, Any],
    formats: Plugins[Format[Any]],
    schemes: Schemes,
) -> Route:
    """Compile a receiver.

    Raises:
        InvalidConfig: a part of it cannot be used; the message says which.
        PluginUnavailable: its format or scheme is not installed.
    """
    spec = receiver.spec
    format_ = formats.get(spec.source.format)()
    options = _options(format_.Options, spec.source.options, "source")
    format_ = format_.bind(options, formats.targets)
    scheme = schemes.get(spec.verify.scheme)
    matcher = compile_match(spec.match, format_.home(options))
    if spec.registry is not None and not matcher.fixes_hosts:
        raise InvalidConfig(
            "registry: name the repositories with their registry in match.repositories, or a "
            "sender could choose which host is asked."
        )
    if spec.registry is not None and spec.registry.poll and matcher.named_images() is None:
        raise InvalidConfig(
            "registry.poll: match.repositories needs names without '*', for registries cannot be "
            "asked for patterns."
        )
    return Route(
        receiver=receiver,
        driver=driver,
        config=_options(driver.Config, spec.config, config_field(spec.driver)),
        format=format_,
        format_options=options,
        scheme=scheme,
        scheme_options=_options(scheme.Options, spec.verify.options, "verify"),
        matcher=matcher,
    )


def _options(model: type[M], values: Mapping[str, Any], part: str) -> M:
    try:
        return model.model_validate(dict(values))
    except ValidationError as exc:
        raise InvalidConfig(describe(exc, part)) from exc


def _raw_request(call: Call) -> Request:
    return Request(
        body=call.body,
        headers={name: value for name, value in call.headers.items() if name in SAFE_HEADERS},
        query={name: value for name, value in call.query.items() if name not in SECRET_QUERY},
    )


def _ignored(subject: str, reason: str) -> Item:
    return Item(subject[:500], DeliveryState.IGNORED, str(reason))
