"""OpenTelemetry: hands spans to a collector over OTLP (the extra ``otel``).

https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from hashlib import sha256

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from webhook_service.telemetry import tracing
from webhook_service.telemetry.tracing import Kind, Value

NAME = "webhook-service"
EXPORT_SECONDS = 5.0
_KINDS = {"internal": SpanKind.INTERNAL, "server": SpanKind.SERVER, "client": SpanKind.CLIENT}
_ids: ContextVar[SpanContext | None] = ContextVar("ids of the next span", default=None)


def start(endpoint: str) -> Callable[[], None]:
    """Send all spans of this process to a collector; gives what sends the last ones and ends it.

    Call it after a fork: a thread sends them. A collector that is away costs the spans only.

    Args:
        endpoint: of OTLP over HTTP, such as ``http://127.0.0.1:4318``.
    """
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS)
    provider = new_provider()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracing.set_tracer(OtelTracer(provider))

    def stop() -> None:
        tracing.set_tracer(None)
        provider.shutdown()

    return stop


def new_provider() -> TracerProvider:
    """A provider that nobody takes spans from yet."""
    name = os.environ.get("OTEL_SERVICE_NAME", NAME)
    resource = Resource.create({SERVICE_NAME: name})
    return TracerProvider(resource=resource, id_generator=_Ids(), shutdown_on_exit=False)


class OtelTracer:
    """Makes the service's spans those of OpenTelemetry."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer(NAME)
        self._headers = TraceContextTextMapPropagator()

    @contextmanager
    def span(
        self,
        name: str,
        kind: Kind,
        attributes: Mapping[str, Value],
        sender: Mapping[str, str] | None,
        execution: str | None,
    ) -> Iterator[OtelSpan]:
        """See ``tracing.span``. What is raised is named by its type alone: texts hold secrets."""
        with self._tracer.start_as_current_span(
            name,
            _parent(self._headers, sender, execution),
            _KINDS[kind],
            _known(attributes),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield OtelSpan(span)
            except BaseException as exc:
                OtelSpan(span).fail(type(exc).__name__)
                raise

    def ended(
        self,
        execution: str,
        begun: datetime,
        attributes: Mapping[str, Value],
        failed: str | None,
    ) -> None:
        """See ``tracing.execution_ended``."""
        token = _ids.set(_context_of(execution))
        try:
            span = self._tracer.start_span(
                "webhook execution",
                Context(),
                attributes=_known(attributes),
                start_time=int(begun.timestamp() * 1e9),
            )
        finally:
            _ids.reset(token)
        if failed is not None:
            OtelSpan(span).fail(failed)
        span.end()


class OtelSpan:
    """One span of OpenTelemetry."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def set(self, attributes: Mapping[str, Value]) -> None:
        self._span.set_attributes(_known(attributes))

    def link(self, executions: Sequence[str]) -> None:
        for execution in executions:
            self._span.add_link(_context_of(execution))

    def fail(self, code: str) -> None:
        self._span.set_attribute("error.type", code)
        self._span.set_status(Status(StatusCode.ERROR))


class _Ids(RandomIdGenerator):
    """Random ids, save for executions."""

    def generate_span_id(self) -> int:
        given = _ids.get()
        return super().generate_span_id() if given is None else given.span_id

    def generate_trace_id(self) -> int:
        given = _ids.get()
        return super().generate_trace_id() if given is None else given.trace_id


def _parent(
    headers: TraceContextTextMapPropagator,
    sender: Mapping[str, str] | None,
    execution: str | None,
) -> Context | None:
    """What a span is a part of: None is what goes on now."""
    if execution is not None:
        return trace.set_span_in_context(trace.NonRecordingSpan(_context_of(execution)), Context())
    return None if sender is None else headers.extract(sender, Context())


def _context_of(execution: str) -> SpanContext:
    """The trace and the span of an execution."""
    digest = sha256(execution.encode()).digest()
    trace_id, span_id = int.from_bytes(digest[:16]), int.from_bytes(digest[16:24])
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(1))


def _known(attributes: Mapping[str, Value]) -> dict[str, str | int | float | bool]:
    return {name: value for name, value in attributes.items() if value is not None}
