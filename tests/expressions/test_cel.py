from typing import Any

import pytest

from webhook_service.errors import InvalidConfig
from webhook_service.expressions.cel import MAX_STEPS, compile_cel, new_meter
from webhook_service.expressions.values import CelError, ExpressionFailed, NoSuchField, TooDear

REF = {"ref": "refs/tags/v1.1.0", "list": ["a", "b"]}


def value(source: str, body: Any = REF) -> Any:
    return compile_cel(source, {"body": None})({"body": body}, new_meter())


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("body.ref.substring(11)", "1.1.0"),
        ("body.ref.substring(5, 9)", "tags"),
        ("body.ref.split('/')", ["refs", "tags", "v1.1.0"]),
        ("body.ref.split('/', 2)", ["refs", "tags/v1.1.0"]),
        ("body.ref.split('/', 0)", []),
        ("'abc'.split('')", ["a", "b", "c"]),
        ("'abc'.split('', 2)", ["a", "bc"]),
        ("''.split('')", []),
        ("''.split(',')", [""]),
        ("body.ref.replace('refs/tags/', '')", "v1.1.0"),
        ("'aaa'.replace('a', 'b', 2)", "bba"),
        ("'aaa'.replace('a', 'b', 0)", "aaa"),
        ("'aaa'.replace('a', 'b', -1)", "bbb"),
        ("'ab'.replace('', '_')", "_a_b_"),
        ("body.ref.indexOf('/')", 4),
        ("body.ref.indexOf('/', 5)", 9),
        ("body.ref.indexOf('#')", -1),
        ("body.ref.lastIndexOf('/')", 9),
        ("body.ref.lastIndexOf('/', 8)", 4),
        ("'abc'.charAt(1) + 'abc'.charAt(3)", "b"),
        ("' \\t1.0\\n'.trim()", "1.0"),
        ("'AÉb'.lowerAscii()", "aÉb"),
        ("'aéB'.upperAscii()", "AéB"),
        ("body.list.join()", "ab"),
        ("body.list.join('-')", "a-b"),
        ("size('é😀')", 2),
        ("'é😀x'.substring(2)", "x"),
        (r"'\x41\u00e9\101\n'", "AéA\n"),
        (r"r'\x41'", r"\x41"),
        (r"b'\xff\u00e9é'", b"\xff\xc3\xa9\xc3\xa9"),
        ("'''it's'''", "it's"),
        ("010", 10),
        ("-9223372036854775808", -(2**63)),
        ("18446744073709551615u", 2**64 - 1),
        ("[[1, 2], [3]].map(l, l.map(x, x + 1))", [[2, 3], [4]]),
        ("[1, 2, 3].map(x, x > 1, x * 2)", [4, 6]),
        ("body.list.exists_one(x, x == 'a')", True),
        ("{'a': 1, 'b': 2}.exists(k, k == 'b')", True),
        ("false && (1 / 0 == 1) || true", True),
        ("(1 / 0 == 1) || true", True),
        ("[0, 1].exists(x, 1 / x == 1)", True),
        ("1 == 1.0 && 1u == 1 && 1 < 1.5", True),
        ("'1' == 1", False),
        ("duration('1h30m') + duration('-30m') == duration('1h')", True),
        ("timestamp('2026-11-27T23:30:00Z').getDayOfWeek('Europe/Berlin')", 6),
        ("timestamp('2026-11-27T23:30:00Z').getHours('-02:00')", 21),
        ("has(body.ref) && !has(body.nope)", True),
        ("body.ref // the ref", REF["ref"]),
    ],
)
def test_an_expression_has_this_value(source: str, found: Any) -> None:
    assert value(source) == found


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("9223372036854775807 + 1", "outside 64 bits"),
        ("-9223372036854775807 - 2", "outside 64 bits"),
        ("-(-9223372036854775807 - 1)", "outside 64 bits"),
        ("(-9223372036854775807 - 1) / -1", "outside 64 bits"),
        ("1u - 2u", "outside 64 bits"),
        ("body.huge * 1", "outside 64 bits"),
        ("1 + 1.0", "has no meaning"),
        ("'a' < 1", "cannot be compared"),
        ("false || 1", "needs true or false"),
        ("1 ? 2 : 3", "needs true or false"),
        ("[1][1]", "no such element"),
        ("[1][-1]", "no such element"),
        ("'ab'.substring(3)", "outside"),
        ("'ab'.substring(2, 1)", "outside"),
        ("'ab'.charAt(3)", "outside"),
        ("[1].join()", "a list of texts"),
        ("'a'.startsWith(1)", r"string.startsWith\(string\); it was given string, int"),
        ("'a'.matches('(' + '')", "as RE2 reads it"),
        ("int('x')", "no whole number"),
        ("timestamp('yesterday')", "takes a time such as"),
        ("timestamp('2026-13-01T00:00:00Z')", "takes a time such as"),
        ("duration('1 hour')", "takes a time such as"),
        ("timestamp('2026-01-01T00:00:00Z').getHours('../etc')", "time zone"),
        ("{true: 1}", "a key of a map"),
        ("body.ref.x", "a string has no field"),
    ],
)
def test_an_expression_that_has_no_value_says_why(source: str, problem: str) -> None:
    body = {**REF, "huge": 2**70}
    with pytest.raises(CelError, match=problem):
        value(source, body)


def test_a_field_that_is_not_there_is_told_from_other_faults() -> None:
    with pytest.raises(NoSuchField, match="'nope'"):
        value("body.nope")


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("", "a value or a name is missing at the end"),
        ("1 1", "an operator is missing before '1'"),
        ("(1", r"\) is missing"),
        ("[1", "] is missing"),
        ("{1: 2", "} is missing"),
        ("{1 2}", ": is missing"),
        ("a ? 1", "no variable 'a'"),
        ("true ? 1", ": is missing"),
        ("'a", "a value or a name is missing"),
        (r"'\q'", "an escape in a text is unknown"),
        (r"'\ud800'", "an escape in a text is unknown"),
        ("1 = 1", "an operator is missing before '='"),
        ("9223372036854775808", "no whole number of 64 bits"),
        ("-1u", "no whole number of 64 bits"),
        ("9" * 5000, "no whole number of 64 bits"),
        ("has(body)", "has"),
        ("[1].all(x)", ", is missing"),
        ("[1].all(1, true)", "a value or a name is missing"),
        ("[1].map(int, int)", "a name of its own"),
        ("nosuch(1)", "There are: all, bool"),
        ("(" * 500, "brackets"),
        ("[" * 500, "brackets"),
        ("!" * 500 + "true", "brackets"),
        ("1" + "+1" * 500, "brackets"),
        ("body" + ".a" * 500, "brackets"),
        ("true ? 1 : " * 100, "brackets"),
    ],
)
def test_what_is_no_expression_says_what_to_change(source: str, problem: str) -> None:
    with pytest.raises(InvalidConfig, match=problem):
        compile_cel(source, {"body": None})


def test_many_alternatives_are_one_level_of_nesting() -> None:
    assert value(" || ".join(["body.ref == 'x'"] * 200 + ["true"])) is True


@pytest.mark.parametrize(
    "source",
    [
        "body.l.all(x, body.l.all(y, x == y))",
        "[1,1,1,1,1,1,1,1,1,1].//\nmap(a," * 6 + "1" + ")" * 6,
        "body.l.all(x, body.l == body.l)",
        "body.l.exists(x, x == 2) || true",
        "true || body.l.all(x, true) ? body.l.all(x, true) : false",
    ],
)
def test_nothing_makes_up_for_too_many_steps(source: str) -> None:
    with pytest.raises(TooDear, match="too many steps"):
        value(source, {"l": [1] * MAX_STEPS})


@pytest.mark.parametrize(
    "source",
    [
        "[body.s + body.s]" + "".join(f".map(v{i}, v{i} + v{i})" for i in range(18)),
        "[[1]]" + "".join(f".map(v{i}, v{i} + v{i})" for i in range(30)),
        "[1, 2, 3].map(x, body.big.replace('a', 'bb')).size() > 0",
        "body.few.map(x, body.big + body.big)",
        "body.few.map(x, body.big.substring(1))",
        "body.few.map(x, body.parts.join('-'))",
        "body.few.map(x, body.small.split(''))",
    ],
)
def test_what_doubles_is_stopped_before_it_is_made(source: str) -> None:
    body = {
        "s": "a" * 20,
        "big": "a" * 400_000,
        "small": "a" * 2000,
        "few": list(range(60)),
        "parts": ["a" * 1000] * 90,
    }
    with pytest.raises(TooDear):
        value(source, body)


def test_pushes_of_one_call_share_what_it_may_cost() -> None:
    meter = new_meter(3)
    run = compile_cel("body.l.all(x, true)", {"body": None})
    assert run({"body": {"l": [1] * (MAX_STEPS // 3)}}, meter) is True
    with pytest.raises(ExpressionFailed):
        run({"body": {"l": [1] * (MAX_STEPS // 3)}}, meter)
