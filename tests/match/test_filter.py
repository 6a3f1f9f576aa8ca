import sys

import pytest

from webhook_service.errors import InvalidConfig
from webhook_service.match.filter import compile_filter

EVENT = {"tag": "1.2.3", "actor": "ada", "digest": None}


@pytest.mark.parametrize(
    ("source", "passes"),
    [
        ("event.tag != 'latest'", True),
        ("event.tag == 'latest'", False),
        ("event.actor in ['ada', 'bob'] && event.tag.startsWith('1.')", True),
        ("event.nope == 1", False),
        ("event.digest.size() > 3", False),
        ("event.tag", False),
        ("1 / 0 == 1", False),
    ],
)
def test_only_a_true_expression_lets_an_event_through(source: str, passes: bool) -> None:
    assert compile_filter(source)(EVENT) is passes


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("", "1 to 1024"),
        ("'x' == '" + "x" * 1100 + "'", "1 to 1024"),
        ("event.tag ==", "no CEL expression"),
        ("[1, 2].all(x, [3].all(y, x < y))", "once"),
    ],
)
def test_an_expression_that_cannot_be_used_is_refused_when_saved(source: str, problem: str) -> None:
    with pytest.raises(InvalidConfig, match=problem):
        compile_filter(source)


def test_without_cel_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cel", None)
    with pytest.raises(InvalidConfig, match=r"webhook-service\[cel\]"):
        compile_filter("true")
