"""The ``when`` filter: one CEL expression over ``event``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from webhook_service.errors import InvalidConfig
from webhook_service.expressions.cel import compile_cel
from webhook_service.expressions.values import ExpressionFailed, Meter, kind

MAX_LENGTH = 1024
FIELDS = (
    *("registry", "repository", "tag", "digest", "media_type", "pushed_at", "actor", "source_id"),
    "image",
)

Filter = Callable[[Mapping[str, Any], Meter], bool]


def compile_filter(source: str) -> Filter:
    """A function that says whether an event, as JSON, passes.

    It raises ``ExpressionFailed`` for an event that the expression fails on, or for which it gives
    neither true nor false: people should see that their filter is broken.

    Raises:
        InvalidConfig: the expression cannot be used.
    """
    if not source.strip() or len(source) > MAX_LENGTH:
        raise InvalidConfig(f"match.when needs 1 to {MAX_LENGTH} characters.")
    try:
        evaluate = compile_cel(source, {"event": FIELDS})
    except InvalidConfig as exc:
        raise InvalidConfig(f"match.when: {exc.message}") from exc

    def passes(event: Mapping[str, Any], meter: Meter) -> bool:
        found = evaluate({"event": event}, meter)
        if not isinstance(found, bool):
            raise ExpressionFailed(f"it gives a {kind(found)}, not true or false.")
        return found

    return passes
