"""Our evaluator against the Rust one that release 0.1.0 used, so that stored expressions go on.

Where the two differ on purpose, ours follows the specification, and the expression stands below.
"""

from typing import Any

import cel
import pytest

from tests.expressions.corpus import BODY, EXPRESSIONS
from webhook_service.errors import InvalidConfig
from webhook_service.expressions.cel import compile_cel, new_meter
from webhook_service.expressions.values import ExpressionFailed

FAILED = object()


@pytest.mark.parametrize("source", EXPRESSIONS)
def test_an_expression_of_release_0_1_0_keeps_its_value(source: str) -> None:
    ours, theirs = _ours(source), _theirs(source)
    assert ours == theirs
    assert ours is FAILED or type(theirs) in type(ours).__mro__


@pytest.mark.parametrize(
    ("source", "value"),
    [
        # Rust counts bytes, and gives up at the first error of a loop.
        ("size('é')", 1),
        ("[0, 1].exists(x, 1 / x == 1)", True),
        ("[0, 1].all(x, 1 / x == 2)", False),
        ("string(timestamp('2024-01-01T00:00:00Z'))", "2024-01-01T00:00:00Z"),
        ("string(duration('90s'))", "90s"),
        ("{1: 'a'}[1u]", "a"),
        ("{'a': 1, 'a': 2}", FAILED),
    ],
)
def test_where_they_differ_ours_follows_the_specification(source: str, value: Any) -> None:
    assert _ours(source) == value
    assert _theirs(source) != value


def _ours(source: str) -> Any:
    try:
        return compile_cel(source, {"body": None})({"body": BODY}, new_meter())
    except (InvalidConfig, ExpressionFailed):
        return FAILED


def _theirs(source: str) -> Any:
    try:
        return cel.compile(source).execute({"body": BODY})
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        # A panic of the evaluator is no Exception.
        return FAILED
