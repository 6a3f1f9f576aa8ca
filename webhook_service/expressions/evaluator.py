"""The value of a syntax tree, with every step and every byte counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from webhook_service.expressions.functions import FUNCTIONS
from webhook_service.expressions.syntax import (
    Binary,
    Choice,
    Constant,
    Field,
    FunctionCall,
    Index,
    ListOf,
    Logic,
    Loop,
    MapOf,
    Name,
    Node,
    Unary,
)
from webhook_service.expressions.values import (
    TYPES,
    CelError,
    Meter,
    NoSuchField,
    Uint,
    combine,
    compare,
    equal,
    kind,
    of_kind,
)

# Python's own size of a list and a dict, and of one element.
_CONTAINER, _ELEMENT = 64, 120

Scope = dict[str, Any]


def evaluate(node: Node, variables: Mapping[str, Any], meter: Meter) -> Any:
    """The value of an expression.

    Raises:
        ExpressionFailed: it has none for these variables (``NoSuchField`` if only a field is
            missing), or costs more than the meter allows.
    """
    return _Evaluator(meter).value(node, dict(variables))


class _Evaluator:
    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def value(self, node: Node, scope: Scope) -> Any:
        self._meter.step()
        return _BY_NODE[type(node)](self, node, scope)

    def literal(self, node: Constant, scope: Scope) -> Any:
        return node.value

    def name(self, node: Name, scope: Scope) -> Any:
        return scope[node.name] if node.name in scope else TYPES[node.name]

    def field(self, node: Field, scope: Scope) -> Any:
        of = self.value(node.of, scope)
        if type(of) is not dict:
            raise CelError(f"a {kind(of)} has no field {node.name[:50]!r}.")
        if node.asked:
            return node.name in of
        return _of_map(of, node.name)

    def index(self, node: Index, scope: Scope) -> Any:
        of, key = self.value(node.of, scope), self.value(node.key, scope)
        if type(of) is dict:
            return _of_map(of, _key(key))
        if type(of) is not list:
            raise CelError(f"a {kind(of)} has no elements.")
        if type(key) not in (int, Uint) or not 0 <= key < len(of):
            raise CelError(f"a list of {len(of)} has no such element.")
        return of[key]

    def call(self, node: FunctionCall, scope: Scope) -> Any:
        arguments = [self.value(argument, scope) for argument in node.arguments]
        return FUNCTIONS[node.name](node.name, arguments, self._meter)

    def unary(self, node: Unary, scope: Scope) -> Any:
        value = self.value(node.operand, scope)
        if node.operator == "!":
            return not _boolean(value, "!")
        if type(value) is float:
            return -value
        if type(value) is int:
            return of_kind(-value, int)
        raise CelError(f"-{kind(value)} has no meaning.")

    def binary(self, node: Binary, scope: Scope) -> Any:
        left, right = self.value(node.left, scope), self.value(node.right, scope)
        sign = node.operator
        if sign == "==":
            return equal(left, right, self._meter)
        if sign == "!=":
            return not equal(left, right, self._meter)
        if sign == "in":
            return self._contains(right, left)
        if sign in ("<", "<=", ">", ">="):
            return compare(sign, left, right, self._meter)
        return combine(sign, left, right, self._meter)

    def logic(self, node: Logic, scope: Scope) -> bool:
        """One operand that decides makes up for errors of the others, in any order."""
        tests = (lambda node=operand: self.value(node, scope) for operand in node.operands)
        return self._any(tests, node.operator == "||", node.operator)

    def choice(self, node: Choice, scope: Scope) -> Any:
        condition = _boolean(self.value(node.condition, scope), "?")
        return self.value(node.then if condition else node.otherwise, scope)

    def list_of(self, node: ListOf, scope: Scope) -> list[Any]:
        self._meter.make(_CONTAINER + _ELEMENT * len(node.items))
        return [self.value(item, scope) for item in node.items]

    def map_of(self, node: MapOf, scope: Scope) -> dict[Any, Any]:
        self._meter.make(_CONTAINER + _ELEMENT * len(node.entries))
        found = {}
        for key_node, value_node in node.entries:
            key = _key(self.value(key_node, scope))
            if key in found:
                raise CelError("a map has a key twice.")
            found[key] = self.value(value_node, scope)
        return found

    def loop(self, node: Loop, scope: Scope) -> Any:
        over = self.value(node.over, scope)
        if type(over) not in (list, dict):
            raise CelError(f"{node.macro}() goes over a list or a map, not over a {kind(over)}.")
        if node.macro in ("all", "exists"):
            tests = (lambda s=inner: self._test(node, s) for inner in self._each(node, over, scope))
            return self._any(tests, node.macro == "exists", node.macro)
        passed = (
            inner
            for inner in self._each(node, over, scope)
            if node.test is None or self._test(node, inner)
        )
        if node.macro in ("exists_one", "existsOne"):
            return sum(1 for _ in passed) == 1
        found = []
        for inner in passed:
            self._meter.make(_ELEMENT)
            result = node.result
            found.append(inner[node.variable] if result is None else self.value(result, inner))
        return found

    def _each(self, node: Loop, over: Any, scope: Scope) -> Iterator[Scope]:
        inner = dict(scope)
        for element in over:
            self._meter.step()
            inner[node.variable] = element
            yield inner

    def _test(self, node: Loop, scope: Scope) -> bool:
        return _boolean(self.value(node.test or node.over, scope), node.macro)

    def _any(self, tests: Iterator[Callable[[], Any]], deciding: bool, what: str) -> bool:
        failed: CelError | None = None
        for test in tests:
            try:
                if _boolean(test(), what) is deciding:
                    return deciding
            except CelError as exc:
                failed = failed or exc
        if failed is not None:
            raise failed
        return not deciding

    def _contains(self, of: Any, value: Any) -> bool:
        if type(of) is dict:
            return _key(value) in of
        if type(of) is not list:
            raise CelError(f"in looks into a list or a map, not into a {kind(of)}.")
        return any(equal(element, value, self._meter) for element in of)


def _of_map(of: dict[Any, Any], key: Any) -> Any:
    if key not in of:
        raise NoSuchField(f"there is no field {str(key)[:50]!r}.")
    return of[key]


def _key(value: Any) -> Any:
    if type(value) in (str, int, Uint):
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    raise CelError(f"a key of a map is a text or a whole number, not a {kind(value)}.")


def _boolean(value: Any, what: str) -> bool:
    if type(value) is not bool:
        raise CelError(f"{what} needs true or false, not a {kind(value)}.")
    return value


_BY_NODE: Mapping[type[Node], Callable[[_Evaluator, Any, Scope], Any]] = {
    Constant: _Evaluator.literal,
    Name: _Evaluator.name,
    Field: _Evaluator.field,
    Index: _Evaluator.index,
    FunctionCall: _Evaluator.call,
    Unary: _Evaluator.unary,
    Binary: _Evaluator.binary,
    Logic: _Evaluator.logic,
    Choice: _Evaluator.choice,
    ListOf: _Evaluator.list_of,
    MapOf: _Evaluator.map_of,
    Loop: _Evaluator.loop,
}
