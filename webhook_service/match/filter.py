"""The ``when`` filter: one CEL expression over ``event`` (https://cel.dev).

The evaluator has no time limit and holds the interpreter lock, so what could run long is refused
when the receiver is saved: long sources, and more than one comprehension.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from webhook_service.errors import InvalidConfig

MAX_LENGTH = 1024
_COMPREHENSION = re.compile(r"\.\s*(all|exists|exists_one|map|filter)\s*\(")

Filter = Callable[[Mapping[str, Any]], bool]


def compile_filter(source: str) -> Filter:
    """A function that says whether an event, as JSON, passes.

    An expression that fails on an event, or gives no boolean, lets nothing through.

    Raises:
        InvalidConfig: the expression cannot be used, or CEL is not installed.
    """
    if not source.strip() or len(source) > MAX_LENGTH:
        raise InvalidConfig(f"match.when needs 1 to {MAX_LENGTH} characters.")
    if len(_COMPREHENSION.findall(source)) > 1:
        raise InvalidConfig("match.when may use one of all, exists, map and filter, and once.")
    program = _compile(source)

    def passes(event: Mapping[str, Any]) -> bool:
        try:
            return program.execute({"event": dict(event)}) is True
        except Exception:
            # The evaluator raises plain builtins (KeyError, TypeError, ...) for a bad field.
            return False

    return passes


def _compile(source: str) -> Any:
    try:
        import cel
    except ModuleNotFoundError as exc:
        raise InvalidConfig(
            "match.when needs CEL: pip install 'webhook-service[cel]' where the service runs."
        ) from exc
    try:
        return cel.compile(source)
    except ValueError as exc:
        problem = str(exc).rpartition("ERROR: ")[2].splitlines()[0][:200]
        raise InvalidConfig(f"match.when is no CEL expression: {problem}.") from exc
