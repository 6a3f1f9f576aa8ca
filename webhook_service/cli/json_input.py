"""What options take: JSON inline, ``@file``, or a file's path (``-`` for stdin); headers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer


def read_object(text: str) -> dict[str, Any]:
    """An object given inline or as ``@file``."""
    return _parse(_read_file(text[1:]) if text.startswith("@") else text)


def read_object_file(path: str) -> dict[str, Any]:
    """An object in a file; ``-`` is stdin."""
    return _parse(_read_file(path))


def read_name_or_object(text: str) -> str | dict[str, Any]:
    """A bare word, or an object for those that need more than a name."""
    return read_object(text) if text.startswith(("{", "@")) else text


def read_bytes(path: str) -> bytes:
    """A file as it is; ``-`` is stdin."""
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as exc:
        raise typer.BadParameter(f"{path} cannot be read: {exc.strerror}.") from exc


def read_headers(lines: Iterable[str] | None) -> dict[str, str]:
    """Headers given as ``Name: value``, with names in lower case."""
    pairs = (line.partition(":") for line in lines or ())
    return {name.strip().lower(): text.strip() for name, _, text in pairs}


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
