"""Globs, compiled to regular expressions that never go back over what a wildcard took.

``*`` is any text, ``?`` one character, ``[…]`` one of a set, ``[!…]`` one outside it. What stands
between two stars is taken where it first fits: if the rest does not fit after that, it would not
after a later place either. So each star is an atomic group, and the cost grows with the length of
the text, not with a power of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fnmatch import translate
from functools import lru_cache

Glob = Callable[[str], bool]

_TOKEN = re.compile(r"\*+|\[!?\]?[^\]]*\]|.", re.DOTALL)
_COMPONENTS = "(?:[^/]*/)"


@lru_cache(maxsize=4096)
def compile_glob(pattern: str) -> Glob:
    """A function that says whether a text fits the pattern as a whole."""
    fits = re.compile(_translated(pattern, "."), re.DOTALL).fullmatch
    return lambda text: fits(text) is not None


def compile_path_glob(components: Sequence[str]) -> Glob:
    """The same for a path: wildcards stay within one component, ``**`` is any components."""
    if components and not any(map(is_pattern, components)):
        # Most rules are names, and an inbox may have a thousand: to compile each takes a second.
        return "/".join(components).__eq__
    runs: list[str] = [""]
    for component in components:
        if component == "**":
            runs.append("")
        else:
            runs[-1] += f"(?>{_translated(component, '[^/]')}/)"
    fits = re.compile(_joined(runs, _COMPONENTS)).fullmatch
    return lambda path: fits(f"{path}/") is not None


def is_pattern(text: str) -> bool:
    """Whether the text has wildcards."""
    return any(character in text for character in "*?[")


def _translated(pattern: str, one: str) -> str:
    runs: list[str] = [""]
    for token in _TOKEN.findall(pattern):
        if token.startswith("*"):
            runs.append("")
        elif token == "?":
            runs[-1] += one
        elif len(token) > 1:
            runs[-1] += f"(?={one}){_set(token)}"
        else:
            runs[-1] += re.escape(token)
    return _joined(runs, one)


def _joined(runs: Sequence[str], skipped: str) -> str:
    """One expression of what stands between wildcards; each wildcard is any number of skips."""
    first, *rest = runs
    if not rest:
        return first
    *middle, last = rest
    taken = "".join(f"(?>{skipped}*?{run})" for run in middle if run)
    return f"{first}{taken}{skipped}*{last}"


def _set(token: str) -> str:
    # "(?s:" stands before what Python's own translation makes of the set, ")" and an anchor behind.
    return translate(token).removeprefix("(?s:").rpartition(")")[0]
