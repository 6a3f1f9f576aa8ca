from collections.abc import Sequence
from fnmatch import fnmatchcase
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhook_service.expressions.glob import compile_glob, compile_path_glob

# Few letters, so that many patterns fit; what sets are made of, so that many are odd.
_PATTERNS = st.text("ab*?[]!^-/\\.", max_size=12)
_TEXTS = st.text("ab-]!/\\.\n", max_size=12)
_CPU_SECONDS = 0.02


@given(_PATTERNS, _TEXTS)
@settings(max_examples=500, deadline=None)
def test_a_glob_fits_what_the_standard_library_says(pattern: str, text: str) -> None:
    assert compile_glob(pattern)(text) is fnmatchcase(text, pattern)


@given(
    st.lists(st.sampled_from(["a", "b", "*", "**", "a*", "?", "[!a]", "***", ""]), max_size=6),
    st.lists(st.text("ab", max_size=2), min_size=1, max_size=6),
)
@settings(max_examples=500, deadline=None)
def test_a_path_fits_if_some_choice_of_components_does(pattern: list[str], path: list[str]) -> None:
    assert compile_path_glob(pattern)("/".join(path)) is _fits(pattern, path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("**/**/**/**/b", "a/" * 120 + "a"),
        ("**/**/**/**/**/**/**/**/b", "a/" * 127 + "a"),
        ("**/a/**/a/**/a/**/b", "a/" * 127 + "a"),
        ("**/" + "a/" * 120 + "b", "a/" * 127 + "a"),
        ("*a*a*a*a*a*a*a*b", "a" * 255),
        ("**/*a*a*a*a*a*a/b", "a" * 255),
        ("**/*a/*a/*a/*a/*a/*a/b", "aaa/" * 63 + "aaa"),
        ("*" + "a" * 200 + "*b", "a" * 255),
        ("**/" + "?" * 240 + "/**/b", "a/" * 127 + "a"),
        ("*[!b]*[!b]*[!b]*[!b]*[!b]*[!b]*[!b]b", "a" * 255),
    ],
)
def test_a_hundred_of_the_worst_globs_cost_less_than_twenty_milliseconds(
    pattern: str, path: str
) -> None:
    fits = compile_path_glob(pattern.split("/"))
    assert min(_cpu(lambda: [fits(path) for _ in range(100)]) for _ in range(3)) < _CPU_SECONDS


def _cpu(run: object) -> float:
    start = process_time()
    run()  # type: ignore[operator]
    return process_time() - start


def _fits(pattern: Sequence[str], path: Sequence[str]) -> bool:
    """The meaning of a path glob, by trying everything."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        return any(_fits(pattern[1:], path[skip:]) for skip in range(len(path) + 1))
    return bool(path) and fnmatchcase(path[0], pattern[0]) and _fits(pattern[1:], path[1:])
