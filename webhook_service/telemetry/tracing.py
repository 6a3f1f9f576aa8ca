"""Spans: what took how long, within what. Unless ``set_tracer`` was called, they cost nothing.

A call is a span in its sender's trace, and has a link to each execution that it began. An
execution is a trace of its own, of an id that follows from the execution's: any process may add
its steps, days later, and nothing has to be stored for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Literal, Protocol, Self

Value = str | int | float | bool | None
Kind = Literal["internal", "server", "client"]


class Traced(Protocol):
    """What goes on, while it does. Values must hold no secrets."""

    def set(self, attributes: Mapping[str, Value]) -> None:
        """Say more about it; None is left out."""

    def link(self, executions: Sequence[str]) -> None:
        """Say that it began executions."""

    def fail(self, code: str) -> None:
        """Say that it failed."""


class Tracer(Protocol):
    """Who takes spans: ``telemetry.otel``."""

    def span(
        self,
        name: str,
        kind: Kind,
        attributes: Mapping[str, Value],
        sender: Mapping[str, str] | None,
        execution: str | None,
    ) -> AbstractContextManager[Traced]:
        """See ``span`` below."""

    def ended(
        self,
        execution: str,
        begun: datetime,
        attributes: Mapping[str, Value],
        failed: str | None,
    ) -> None:
        """See ``execution_ended`` below."""


class _NoSpan:
    """Nobody takes spans."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def set(self, attributes: Mapping[str, Value]) -> None:
        pass

    def link(self, executions: Sequence[str]) -> None:
        pass

    def fail(self, code: str) -> None:
        pass


_NO_SPAN = _NoSpan()
_tracer: Tracer | None = None


def set_tracer(tracer: Tracer | None) -> None:
    """Hand all spans of this process to a tracer from now on, or to nobody."""
    global _tracer
    _tracer = tracer


def span(
    name: str,
    kind: Literal["internal", "server", "client"] = "internal",
    attributes: Mapping[str, Value] | None = None,
    *,
    sender: Mapping[str, str] | None = None,
    execution: str | None = None,
) -> AbstractContextManager[Traced]:
    """A span around what follows; within another one, as a part of it.

    Args:
        sender: the headers of a call, whose ``traceparent`` it goes on with.
        execution: the execution that it is a part of.
    """
    if _tracer is None:
        return _NO_SPAN
    return _tracer.span(name, kind, attributes or {}, sender, execution)


def execution_ended(
    execution: str, begun: datetime, attributes: Mapping[str, Value], failed: str | None
) -> None:
    """The span of a whole execution, which ends now.

    Args:
        failed: the code of its failure, if it failed.
    """
    if _tracer is not None:
        _tracer.ended(execution, begun, attributes, failed)
