"""The ``when`` filter: one CEL expression over ``event``; what could run long is not saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from webhook_service.errors import InvalidConfig
from webhook_service.expressions.cel import ExpressionFailed, compile_cel, count_comprehensions

MAX_LENGTH = 1024

Filter = Callable[[Mapping[str, Any]], bool]


def compile_filter(source: str) -> Filter:
    """A function that says whether an event, as JSON, passes.

    An expression that fails on an event, or gives no boolean, lets nothing through.

    Raises:
        InvalidConfig: the expression cannot be used, or CEL is not installed.
    """
    if not source.strip() or len(source) > MAX_LENGTH:
        raise InvalidConfig(f"match.when needs 1 to {MAX_LENGTH} characters.")
    if count_comprehensions(source) > 1:
        raise InvalidConfig("match.when may use one of all, exists, map and filter, and once.")
    evaluate = compile_cel(source, "match.when")

    def passes(event: Mapping[str, Any]) -> bool:
        try:
            return evaluate({"event": dict(event)}) is True
        except ExpressionFailed:
            return False

    return passes
