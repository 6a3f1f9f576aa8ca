"""Draws CEL expressions and globs and measures them; ``python -m tests.expressions.drawn_costs``.

A process of its own, so that one that is dear can be killed, and memory is this one's alone.
"""

import tracemalloc
from collections.abc import Callable
from time import process_time
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from webhook_service.errors import InvalidConfig
from webhook_service.expressions.cel import compile_cel, new_meter
from webhook_service.expressions.glob import compile_path_glob
from webhook_service.expressions.values import ExpressionFailed

CPU_SECONDS = 0.02
MEMORY = 16_000_000
BODY = {
    "text": "a" * 200_000,
    "wide": "\U0001f600" * 50_000,
    "odd": "a" * 2400,
    "part": "a" * 1200 + "b",
    "list": list(range(3000)),
    "texts": ["a" * 100] * 1000,
    "map": {str(n): n for n in range(3000)},
}
_LEAVES = st.sampled_from(
    [*(f"body.{name}" for name in BODY), "x", "'a'", "''", "'aab'", "0", "1", "-1", "1.5", "[]"]
)
_PATTERNS = ["(a|b)*a(a|b){9}z", "(a{0,50}){0,9}b", ".{1,100}", "a+b", r"(?i)\\pL{1,3}"]


def _larger(some: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    two = st.tuples(some, some)
    methods = ["contains", "startsWith", "endsWith", "split", "indexOf", "lastIndexOf", "join"]
    macros = ["all", "exists", "exists_one", "map", "filter"]
    return st.one_of(
        st.builds("({0[0]} {1} {0[1]})".format, two, st.sampled_from(["+", "==", "<", "in", "%"])),
        st.builds("({0[0]} {1} {0[1]})".format, two, st.sampled_from(["&&", "||"])),
        st.builds("{0}.{1}({2})".format, some, st.sampled_from(methods), some),
        st.builds("{0}.{1}(x, {2})".format, some, st.sampled_from(macros), some),
        st.builds("{0}.replace({1[0]}, {1[1]})".format, some, two),
        st.builds("{0}.substring({1})".format, some, some),
        st.builds("{0}.matches('{1}')".format, some, st.sampled_from(_PATTERNS)),
        st.builds("{0}.matches({1})".format, some, some),
        st.builds("[{0[0]}, {0[1]}]".format, two),
        st.builds("{{'k': {0}}}".format, some),
        st.builds("{0}({1})".format, st.sampled_from(["size", "string", "bytes", "int"]), some),
        st.builds("{0}.{1}()".format, some, st.sampled_from(["trim", "lowerAscii", "join"])),
        # Through maps of maps, whatever is inside is done very often, if nobody counts.
        st.builds("body.list.map(x, {0})".format, some),
        st.builds("body.list.map(x, {0[0]} + {0[1]})".format, two),
    )


EXPRESSIONS = st.recursive(_LEAVES, _larger, max_leaves=12)
GLOBS = st.lists(
    st.sampled_from(["**", "*", "a", "a*", "*a", "*a*", "[!b]", "?", "aa", "b"]), max_size=60
).filter(lambda parts: "/".join(parts).count("*") <= 8)
_WITHOUT_LIMIT = settings(
    max_examples=1500,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    # The phase that explains a failure traces every line, which takes much longer.
    phases=(Phase.generate, Phase.shrink),
)


@_WITHOUT_LIMIT
@given(EXPRESSIONS)
def no_expression_is_dear(source: str) -> None:
    try:
        run = compile_cel(source, {"body": None, "x": None})
    except InvalidConfig:
        return
    _measure(lambda: run({"body": BODY, "x": "a"}, new_meter()), source)


@_WITHOUT_LIMIT
@given(GLOBS, st.integers(1, 20))
def no_glob_is_dear(pattern: list[str], width: int) -> None:
    path = "/".join(["a" * width] * (255 // (width + 1)))
    fits = compile_path_glob(pattern)
    _measure(lambda: fits(path), "/".join(pattern))


def _measure(run: Callable[[], Any], source: str) -> None:
    spent = min(_seconds(run) for _ in range(2))
    assert spent < CPU_SECONDS, f"{source}: {spent:.3f} s"
    tracemalloc.start()
    _seconds(run)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MEMORY, f"{source}: {peak} bytes"


def _seconds(run: Callable[[], Any]) -> float:
    start = process_time()
    try:
        run()
    except ExpressionFailed:
        pass
    return process_time() - start


if __name__ == "__main__":
    no_expression_is_dear()
    no_glob_is_dear()
