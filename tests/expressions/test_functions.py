import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from webhook_service.expressions.cel import compile_cel, new_meter
from webhook_service.expressions.functions import FUNCTIONS
from webhook_service.expressions.values import CelError, ExpressionFailed, Kind, Uint

EDGES: tuple[Any, ...] = (
    *(0, 1, -1, 2**63 - 1, -(2**63), 10**400, Uint(0), Uint(2**64 - 1), True, None),
    *(0.0, -0.0, 1e308, 5e-324, math.inf, -math.inf, math.nan),
    *(
        "",
        "a",
        "é" * 200,
        "\U0001f600",
        "\0",
        "9" * 25,
        "inf",
        "1e999",
        "+5",
        "٣",
        "1h",
        "9" * 18 + "h",
    ),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "2020-01-01T24:00:60Z"),
    *(
        "Europe/Berlin",
        "America/New_York",
        "-12:00",
        "+14:00",
        "24:00",
        "../x",
        "America",
        "a/" * 30,
    ),
    *(b"", b"\xff", [], ["a", 1], [[]], {}, {"a": 1}, Kind("int")),
    *(
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
        timedelta.min,
        timedelta.max,
    ),
)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_a_value_or_says_that_it_has_none(name: str) -> None:
    for arguments in _arguments(name):
        try:
            FUNCTIONS[name](name, list(arguments), new_meter())
        except ExpressionFailed as exc:
            assert str(exc)


def test_a_time_that_has_no_year_in_its_zone_is_an_error_of_the_expression() -> None:
    program = compile_cel("timestamp(body).getHours('-12:00')", {"body": None})
    with pytest.raises(CelError, match=r"getHours\(\) has no value"):
        program({"body": "0001-01-01T00:00:00Z"}, new_meter())


def _arguments(name: str) -> Iterator[tuple[Any, ...]]:
    function = FUNCTIONS[name]
    most = len(function.takes)
    for count in range(most - function.optional, most + 1):
        yield from product(EDGES, *[EDGES[:: max(count - 1, 1)]] * (count - 1))
