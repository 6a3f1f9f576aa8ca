"""CEL expressions (https://cel.dev): the only importer of the evaluator.

It is the extra ``cel``, imported when an expression is first compiled. The evaluator has no time
limit and holds the interpreter lock, so whoever takes an expression bounds it when it is saved
(length, comprehensions) and bounds the values that it sees.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from webhook_service.errors import InvalidConfig

_COMPREHENSION = re.compile(r"\.\s*(all|exists|exists_one|map|filter)\s*\(")

Program = Callable[[Mapping[str, Any]], Any]


class ExpressionFailed(Exception):
    """The expression does not fit the values that it was given."""


def count_comprehensions(source: str) -> int:
    """How many loops the source has; one that stands in a text counts too."""
    return len(_COMPREHENSION.findall(source))


def compile_cel(source: str, field: str) -> Program:
    """A function from variables to the expression's value; a field that is not there is None.

    Args:
        field: the receiver's field that holds the expression, for messages.

    Raises:
        InvalidConfig: this is no expression, or CEL is not installed.
    """
    program = _compile(source, field)

    def evaluate(variables: Mapping[str, Any]) -> Any:
        try:
            return program.execute(dict(variables))
        except KeyError:
            return None
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as exc:
            # The evaluator raises plain builtins, and a panic of its own is no Exception.
            raise ExpressionFailed from exc

    return evaluate


def _compile(source: str, field: str) -> Any:
    try:
        import cel
    except ModuleNotFoundError as exc:
        raise InvalidConfig(
            f"{field} needs CEL: pip install 'webhook-service[cel]' where the service runs."
        ) from exc
    try:
        return cel.compile(source)
    except ValueError as exc:
        problem = str(exc).rpartition("ERROR: ")[2].splitlines()[0][:200]
        raise InvalidConfig(f"{field} is no CEL expression: {problem}.") from exc
