"""Scalars in a YAML text, and their replacement: every other byte stays as it is. Pure.

The parser only finds where a scalar stands. The text is never written anew from what was parsed,
so comments, order, quotes and line ends stay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from webhook_drivers.field_path import Step
from webhook_service import DriverError

MAX_BYTES = 1024 * 1024
UNREADABLE = "unreadable_yaml"
BOM = "\ufeff"
# What stands before a scalar and belongs to its node: an anchor, a tag.
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
_TABS = re.compile(r"(?<=\S)[ \t]+|(?m:^)[ \t]+(?=#|[\r\n]|\Z)")
# YAML 1.1 knows more words and numbers than 1.2, and readers of both are in use.
_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./:@+-]*")
_WORDS = frozenset("y n yes no on off true false null ~ . .nan .inf".split())
_NUMBER = re.compile(
    r"[-+]?(0[xob][0-9a-fA-F_]+|[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?|\.[0-9_]+([eE].*)?)"
    r"|[-+]?[0-9][0-9_]*(:[0-9]+)+(\.[0-9_]*)?|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(T.*)?"
)


@dataclass(frozen=True, slots=True)
class Scalar:
    """One scalar of a text: its value, and from where to where it is written."""

    value: str
    start: int
    end: int
    style: str | None


@dataclass(frozen=True, slots=True)
class YamlText:
    """A file of one or more YAML documents.

    Attributes:
        text: with its line ends, without the byte order mark.
        roots: one node for each document that is not empty.
    """

    text: str
    roots: tuple[Node, ...]
    mark: str = ""

    @classmethod
    def read(cls, data: bytes, where: str) -> Self:
        """
        Raises:
            DriverError: it is no YAML in UTF-8, or larger than a MiB.
        """
        if len(data) > MAX_BYTES:
            raise DriverError(f"{where} is larger than {MAX_BYTES} bytes.", code=UNREADABLE)
        try:
            text = data.decode("utf-8")
            mark = BOM if text.startswith(BOM) else ""
            text = text.removeprefix(BOM)
            roots = tuple(
                node for node in YAML(typ="rt").compose_all(_spaced(text)) if node is not None
            )
        except UnicodeDecodeError:
            raise DriverError(f"{where} is not in UTF-8: save it so.", code=UNREADABLE) from None
        except (YAMLError, RecursionError, ValueError) as exc:
            line = getattr(getattr(exc, "problem_mark", None), "line", None)
            at = "" if line is None else f", line {line + 1},"
            raise DriverError(
                f"{where}{at} cannot be read as YAML; templates such as those of a Helm chart are "
                "none. Name a file of plain values.",
                code=UNREADABLE,
            ) from None
        return cls(text, roots, mark)

    def scalar(self, node: Node) -> Scalar:
        """
        Raises:
            DriverError: the node is a list, a mapping or a text of several lines.
        """
        if not isinstance(node, ScalarNode) or node.style in ("|", ">"):
            line = node.start_mark.line + 1
            raise DriverError(
                f"What stands in line {line} is no single value: name a field that is one.",
                code="no_scalar",
            )
        start, end = node.start_mark.index, node.end_mark.index
        found = _PROPERTIES.match(self.text, start, end)
        start = found.end() if found else start
        if start >= end:
            raise DriverError(
                f"Line {node.start_mark.line + 1} has no value yet: write the first one by hand.",
                code="no_scalar",
            )
        return Scalar(str(node.value), start, end, node.style)

    def scalars(self) -> Iterator[tuple[Scalar, str]]:
        """Every value that stands in one line, each with what follows it in its line."""
        seen: set[int] = set()
        left: list[Node] = list(reversed(self.roots))
        while left:
            node = left.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if _has_one_line(node):
                found = self.scalar(node)
                yield found, re.split(r"[\r\n]", self.text[found.end :], maxsplit=1)[0]
            left += reversed(_children(node))

    def replaced(self, values: Sequence[tuple[Scalar, str]]) -> bytes:
        """The file with other values at some places.

        Raises:
            DriverError: two values for one place.
        """
        text, last = self.text, len(self.text) + 1
        for scalar, value in sorted(set(values), key=lambda item: item[0].start, reverse=True):
            if scalar.end > last:
                raise DriverError("Two fields of the edit are one place.", code="one_place")
            text = text[: scalar.start] + _written(value, scalar.style) + text[scalar.end :]
            last = scalar.start
        return (self.mark + text).encode()


def _spaced(text: str) -> str:
    """The text with a space for each tab that only separates, which the parser does not take.

    YAML has tabs between tokens, before comments and in blank lines (1.2.2, 6.2). In front of
    anything else they would be indentation, which they must not be.
    """
    return _TABS.sub(lambda found: " " * len(found.group()), text)


def follow(root: Node, steps: Sequence[Step]) -> Node | None:
    """The node at a path; of keys that stand twice the last, as most readers take it."""
    node: Node | None = root
    for step in steps:
        if isinstance(step, str):
            node = field(node, step)
        elif not isinstance(node, SequenceNode):
            return None
        elif isinstance(step, int):
            node = node.value[step] if step < len(node.value) else None
        else:
            node = next(
                (item for item in node.value if text(field(item, step[0])) == step[1]), None
            )
    return node


def field(node: Node | None, key: str) -> Node | None:
    """The value of a key; if the mapping has none, that of the first one it merges with ``<<``.

    https://yaml.org/type/merge.html
    """
    left, seen = [node], set[int]()
    while left:
        at = left.pop()
        if not isinstance(at, MappingNode) or id(at) in seen:
            continue
        seen.add(id(at))
        if found := _values(at, key):
            return found[-1]
        merged = [
            [one] if isinstance(one, MappingNode) else _children(one) for one in _values(at, "<<")
        ]
        left += reversed([one for some in merged for one in some])
    return None


def text(node: Node | None) -> str | None:
    return str(node.value) if isinstance(node, ScalarNode) else None


def _values(node: MappingNode, key: str) -> list[Node]:
    return [value for name, value in node.value if text(name) == key]


def _children(node: Node) -> list[Node]:
    if isinstance(node, SequenceNode):
        return list(node.value)
    if isinstance(node, MappingNode):
        return [value for _, value in node.value]
    return []


def _has_one_line(node: Node) -> bool:
    lines = node.start_mark.line, node.end_mark.line
    written = node.start_mark.index < node.end_mark.index
    return isinstance(node, ScalarNode) and written and lines[0] == lines[1]


def _written(value: str, style: str | None) -> str:
    if style == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    if style is None and _is_plain(value):
        return value
    return json.dumps(value, ensure_ascii=not value.isprintable())


def _is_plain(value: str) -> bool:
    """Whether every reader takes it for a text although it has no quotes."""
    safe: Any = _PLAIN.fullmatch(value) and not value.endswith(":")
    return bool(safe) and value.lower() not in _WORDS and not _NUMBER.fullmatch(value)
