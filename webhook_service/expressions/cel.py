"""CEL expressions (https://cel.dev), compiled once and evaluated within bounds.

docs/decisions/6-own-cel.md says why the evaluator is our own: it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from webhook_service.expressions.evaluator import evaluate
from webhook_service.expressions.parser import Variables, parse
from webhook_service.expressions.values import Meter

# For one call; for each push more that it brings, so many more steps.
MAX_STEPS = 5_000
MORE_STEPS = 100
MAX_BYTES = 2 << 20
# What each receiver that a push is for has of its own, whatever the others of the call take.
OWN_STEPS, OWN_BYTES = 200, 16 << 10

Program = Callable[[Mapping[str, Any], Meter], Any]


def new_meter(pushes: int = 1) -> Meter:
    """What the expressions of one kind (``when``, or those of the source) may cost for one call."""
    return Meter(MAX_STEPS + MORE_STEPS * max(pushes - 1, 0), MAX_BYTES)


def own_meter(pool: Meter) -> Meter:
    """What one of many receivers may cost for one push: a little of its own, and what is left."""
    return Meter(OWN_STEPS, OWN_BYTES, pool)


def compile_cel(source: str, variables: Variables) -> Program:
    """A function from variables to the expression's value; it raises ``ExpressionFailed``.

    Args:
        variables: what the expression may name.

    Raises:
        InvalidConfig: this is no expression, or it names what there is not. The message begins in
            lower case, to stand after the name of a field.
    """
    tree = parse(source, variables)
    return lambda values, meter: evaluate(tree, values, meter)
