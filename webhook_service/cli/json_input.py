"""What options take: JSON and text inline, ``@FILE`` or ``-`` (stdin); headers; a file beside them.

The command line of a process is seen by every user of the machine (``ps``), so whatever may be a
secret can come from a file or from stdin.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import typer


def read_object(text: str) -> dict[str, Any]:
    """An object given inline, as ``@FILE`` or as ``-``."""
    return _parse(_read(text))


def read_text(text: str) -> str:
    """A line of text given inline, as ``@FILE`` or as ``-``."""
    return _read(text).strip()


def read_object_file(path: str) -> dict[str, Any]:
    """An object in a file; ``-`` is stdin."""
    return _parse(_read_file(path))


def read_name_or_object(text: str) -> str | dict[str, Any]:
    """A bare word, or an object for those that need more than a name."""
    return read_object(text) if text == "-" or text.startswith(("{", "@")) else text


def read_bytes(path: str) -> bytes:
    """A file as it is; ``-`` is stdin."""
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as exc:
        raise typer.BadParameter(f"{path} cannot be read: {exc.strerror}.") from exc


def read_body(path: str) -> str:
    """The body of a call, from a file; ``-`` is stdin."""
    return _read_file(path)


def read_headers(lines: Iterable[str] | None) -> dict[str, str]:
    """Headers given as ``Name: value``, or as files of such lines; names in lower case."""
    given = (line for text in lines or () for line in _read(text).splitlines() if line.strip())
    pairs = (line.partition(":") for line in given)
    return {name.strip().lower(): text.strip() for name, _, text in pairs}


def _read(text: str) -> str:
    if text == "-":
        return _read_file(text)
    return _read_file(text[1:]) if text.startswith("@") else text


def _read_file(path: str) -> str:
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as exc:
        raise typer.BadParameter(f"{path} is not UTF-8 text.") from exc


def read_any_file(path: str) -> Any:
    """Any JSON in a file; ``-`` is stdin."""
    return _parse_any(_read_file(path))


def read_pairs(words: Iterable[str] | None) -> dict[str, str]:
    """Pairs given as ``NAME=VALUE``, or as ``@file`` with one in each line."""
    lines = [
        line.strip()
        for word in words or ()
        for line in (_read_file(word[1:]).splitlines() if word.startswith("@") else [word])
    ]
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    for name, sign, value in pairs:
        if not (name and sign and value):
            raise typer.BadParameter(f"{(name + sign + value)[:100]!r} is not NAME=VALUE.")
    return {name.strip(): value.strip() for name, _, value in pairs}


def read_labels(words: Iterable[str] | None) -> dict[str, str | None]:
    """Labels as ``kubectl label`` takes them: ``KEY=VALUE`` sets one, ``KEY-`` removes it (None).

    As there, a value may be empty, and one call cannot both set and remove a label.
    """
    found: dict[str, str | None] = {}
    for word in words or ():
        key, sign, text = word.partition("=")
        removes = not sign and key.endswith("-")
        name = key.removesuffix("-") if removes else key
        if not name or not (sign or removes):
            raise typer.BadParameter(f"{word[:100]!r} is neither KEY=VALUE nor KEY-.")
        if name in found and (found[name] is None) != removes:
            raise typer.BadParameter(f"--label both sets and removes {name[:100]!r}.")
        found[name] = None if removes else text
    return found


def composed(stored: Any, first: Any, then: Any, path: str = "") -> Any:
    """The change to ``stored`` that does what ``first`` does, and ``then`` after it.

    Changes merge as those of the API do (RFC 7386): object by object, and null removes. So if
    ``first`` removes what ``then`` sets a field of, the result removes every other field there.

    Args:
        stored: what both change, as the API shows it; None if it is still to be made.
        path: where it stands, such as ``match.tags``.
    """
    from webhook_service.receiving.bodies.receiver import KEPT_BY_ANY_KIND, KINDS

    if not isinstance(then, Mapping):
        return then
    old = stored if isinstance(stored, Mapping) else {}
    said = first if isinstance(first, Mapping) else dict.fromkeys(old)
    kind = KINDS.get(path, "")
    if said.get(kind) is not None and then.get(kind, said[kind]) != said[kind]:
        said = {name: value for name, value in said.items() if name in KEPT_BY_ANY_KIND}
    inner = {
        name: composed(old.get(name), said[name], value, f"{path}.{name}".lstrip("."))
        if name in said
        else value
        for name, value in then.items()
    }
    return {**said, **inner}


def _parse_any(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise typer.BadParameter(f"this is not JSON: {exc}.") from exc


def _parse(text: str) -> dict[str, Any]:
    value = _parse_any(text)
    if not isinstance(value, dict):
        raise typer.BadParameter("this is JSON, but not an object.")
    return value
