"""Text and bytes that notice when ``==`` compares them: it ends at the first difference."""

from __future__ import annotations

from typing import Any

# What is shorter names a way to write something, such as "v1" or "sha256=".
LONG = 8


class ComparedText(str):
    """A header's value; ``found`` collects what ``==`` said yes to."""

    found: list[str]

    def __new__(cls, value: str, found: list[str]) -> ComparedText:
        made = super().__new__(cls, value)
        made.found = found
        return made

    def __eq__(self, other: object) -> bool:
        return _noted(self, other, str.__eq__(self, other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__

    def __getitem__(self, place: Any) -> Any:
        return ComparedText(str.__getitem__(self, place), self.found)

    def __getattribute__(self, name: str) -> Any:
        return _following(self, str, name)


class ComparedBytes(bytes):
    """The same for bytes."""

    found: list[str]

    def __new__(cls, value: bytes, found: list[str]) -> ComparedBytes:
        made = super().__new__(cls, value)
        made.found = found
        return made

    def __eq__(self, other: object) -> bool:
        return _noted(self, other, bytes.__eq__(self, other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = bytes.__hash__

    def __getitem__(self, place: Any) -> Any:
        part = bytes.__getitem__(self, place)
        return ComparedBytes(part, self.found) if isinstance(part, bytes) else part

    def __getattribute__(self, name: str) -> Any:
        return _following(self, bytes, name)


def _noted(value: Any, other: Any, result: Any) -> bool:
    if result is True and len(value) >= LONG:
        value.found.append(type(other).__name__)
    return bool(result is True)


def _following(value: Any, kind: Any, name: str) -> Any:
    """A method whose result goes on to notice comparisons."""
    found = kind.__getattribute__(value, name)
    if name.startswith("_") or not callable(found):
        return found
    watched = kind.__getattribute__(value, "found")
    return lambda *values, **named: _wrapped(found(*values, **named), watched)


def _wrapped(result: Any, found: list[str]) -> Any:
    if type(result) is str:
        return ComparedText(result, found)
    if type(result) is bytes:
        return ComparedBytes(result, found)
    if type(result) in (tuple, list):
        return type(result)(_wrapped(each, found) for each in result)
    return result
