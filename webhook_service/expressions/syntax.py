"""The syntax tree of an expression: frozen values, made by the parser and read by the evaluator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Node:
    """One part of an expression; ``depth`` is how many nodes stand below each other in it."""

    depth: int


@dataclass(frozen=True, slots=True)
class Constant(Node):
    """A value written out."""

    value: Any


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A variable, or the name of a type."""

    name: str


@dataclass(frozen=True, slots=True)
class Field(Node):
    """``of.name``; within ``has(…)`` it only asks whether the field is there."""

    of: Node
    name: str
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Index(Node):
    """``of[key]``."""

    of: Node
    key: Node


@dataclass(frozen=True, slots=True)
class FunctionCall(Node):
    """``name(arguments)``; of ``x.name(y)`` the first argument is x."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """``!operand`` or ``-operand``."""

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """Arithmetic, comparisons and ``in``."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Logic(Node):
    """``a && b && c``, or the same with ``||``."""

    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice(Node):
    """``condition ? then : otherwise``."""

    condition: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class ListOf(Node):
    """``[a, b]``."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MapOf(Node):
    """``{a: b}``."""

    entries: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True)
class Loop(Node):
    """``over.macro(variable, test)``; ``map`` has a ``result`` and need not have a test."""

    macro: str
    over: Node
    variable: str
    test: Node | None
    result: Node | None
