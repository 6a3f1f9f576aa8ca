"""Which arguments of a command line are code: what a shell or an interpreter runs. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

# Behind these comes code, whatever the program: what begins an image is not seen from here.
_SHELL = re.compile(r"-(?=\w{1,6}$)[abefilnopuvx]*c[abefilnopuvx]*")
_LONG = re.compile(r"--?(command|eval|exec|execute|expression|encodedcommand)|/[ck]", re.IGNORECASE)
_UNSEEN = re.compile(r"-e")
# Behind these comes code for the programs that are named, with flags of others before them.
_INTERPRETERS = {
    **dict.fromkeys(("bun", "deno", "node", "nodejs"), "ep"),
    **dict.fromkeys(("julia", "perl"), "eE"),
    **dict.fromkeys(("elixir", "groovy", "lua", "mariadb", "mysql", "osascript"), "e"),
    **dict.fromkeys(("powershell", "pwsh", "rscript", "ruby", "scala", "sed"), "e"),
    **dict.fromkeys(("pypy", "python"), "c"),
    "php": "rBRE",
}
# These hand to a shell whatever comes behind them.
_WHOLE = frozenset({"eval", "parallel", "ssh", "watch"})
_VERSION = re.compile(r"[-.\d]+$|\.exe$", re.IGNORECASE)
# Where the value of a push begins in an argument: {tag}, $(TAG).
_VALUE = re.compile(r"[=$]|\{")


def code_arguments(command: Sequence[str], args: Sequence[str]) -> Iterator[int]:
    """The places in ``[*command, *args]`` whose text is run as code, or says which program runs.

    Args:
        command: of the container; empty where its image says what begins.
    """
    line = [*command, *args]
    programs = [_program(word) for word in line]
    letters = "".join(_INTERPRETERS.get(name, "") for name in programs)
    flags = [_SHELL, _LONG, *([] if command else [_UNSEEN])]
    if letters:
        flags.append(re.compile(rf"-\w{{0,4}}[{letters}]"))
    if command:
        yield 0
    for place, word in enumerate(line):
        if programs[place] in _WHOLE:
            yield from range(place + 1, len(line))
        elif any(flag.fullmatch(word) for flag in flags):
            yield from _behind(line, place)
        elif any(flag.fullmatch(_VALUE.split(word)[0]) for flag in flags):
            yield place


def _behind(line: Sequence[str], flag: int) -> Iterator[int]:
    """From a flag to the code: options may stand between, and ``-o`` has a word of its own."""
    words = 2 if "o" in line[flag] and _SHELL.fullmatch(line[flag]) else 1
    for place in range(flag + 1, len(line)):
        yield place
        words -= not line[place].startswith(("-", "+"))
        if not words:
            return


def _program(word: str) -> str:
    """The name of a program without its folder and version: ``python`` of /usr/bin/python3.12."""
    return _VERSION.sub("", PurePosixPath(word.replace("\\", "/")).name.lower())
