"""From the text of a CEL expression to its syntax tree.

The grammar is that of https://github.com/cel-expr/cel-spec/blob/master/doc/langdef.md#syntax,
without messages. What the expression may name is checked here as well, so that a typo shows when a
receiver is saved and not as a filter that lets nothing through.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import NamedTuple, NoReturn

from webhook_service.errors import InvalidConfig
from webhook_service.expressions.functions import FUNCTIONS
from webhook_service.expressions.regex import compile_regex
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
from webhook_service.expressions.values import INT_MAX, TYPES, Uint

# Nodes below each other: far more than people write, and far less than Python's stack takes.
MAX_DEPTH = 40
MACROS = ("all", "exists", "exists_one", "existsOne", "map", "filter")

Variables = Mapping[str, Collection[str] | None]
"""The variables that an expression may name; with their fields, all texts, if those are fixed."""

_TOKEN = re.compile(
    r"""(?P<space>[\s]+|//[^\n]*)
    |(?P<text>(?:[rR][bB]?|[bB][rR]?)?(?:'''(?:\\.|[^\\])*?'''|\"\"\"(?:\\.|[^\\])*?\"\"\"
        |'(?:\\.|[^\\'\n])*'|"(?:\\.|[^\\"\n])*"))
    |(?P<double>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?)
    |(?P<int>(?:0[xX][0-9a-fA-F]+|[0-9]+)[uU]?)
    |(?P<name>[_a-zA-Z][_a-zA-Z0-9]*)
    |(?P<sign>&&|\|\||[<>=!]=|[-+*/%<>!?:.,()\[\]{}])
    |(?P<wrong>.)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(
    r"\\(x[0-9a-fA-F]{2}|X[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2}|.)",
    re.DOTALL,
)
_ESCAPES = dict(zip("abfnrtv\\?\"'`", "\a\b\f\n\r\t\v\\?\"'`", strict=True))
_WORDS = {"true": True, "false": False, "null": None}
_PRECEDENCE = {
    "||": 1,
    "&&": 2,
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!=", "in"), 3),
    **dict.fromkeys("+-", 4),
    **dict.fromkeys("*/%", 5),
}


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


def parse(source: str, variables: Variables) -> Node:
    """Read an expression.

    Raises:
        InvalidConfig: it is malformed, nested too deeply, or names what does not exist. The
            message begins in lower case, after the name of a field.
    """
    parser = _Parser(source, variables)
    node = parser.expression()
    if parser.token.kind != "end":
        parser.fail("an operator is missing")
    return node


class _Parser:
    def __init__(self, source: str, variables: Variables) -> None:
        self._tokens = [
            _Token(str(found.lastgroup), found[0], found.start())
            for found in _TOKEN.finditer(source)
            if found.lastgroup != "space"
        ]
        self._tokens.append(_Token("end", "", len(source)))
        self._at = 0
        self._nested = 0
        self._variables = dict(variables)

    @property
    def token(self) -> _Token:
        return self._tokens[self._at]

    def fail(self, problem: str) -> NoReturn:
        token = self.token
        where = f"before {token.text[:20]!r}" if token.text else "at the end"
        raise InvalidConfig(
            f"this is no CEL expression: {problem} {where} (character {token.position + 1})."
        )

    def expression(self) -> Node:
        """A whole expression, or the part of one between brackets."""
        self._nested += 1
        if self._nested > MAX_DEPTH:
            self._too_deep()
        node = self._operators(1)
        if self._take("?"):
            then = self._operators(1)
            self._expect(":")
            otherwise = self.expression()
            depth = self._above(node, then, otherwise)
            node = Choice(depth, node, then, otherwise)
        self._nested -= 1
        return node

    def _operators(self, least: int) -> Node:
        left = self._unary()
        while (precedence := _PRECEDENCE.get(self.token.text, 0)) >= least:
            operator = self._next().text
            right = self._operators(precedence + 1)
            if operator not in ("&&", "||"):
                left = Binary(self._above(left, right), operator, left, right)
            elif isinstance(left, Logic) and left.operator == operator:
                depth = max(left.depth, self._above(right))
                left = Logic(depth, operator, (*left.operands, right))
            else:
                left = Logic(self._above(left, right), operator, (left, right))
        return left

    def _unary(self) -> Node:
        signs = []
        while self.token.text in ("!", "-") and self.token.kind == "sign":
            signs.append(self._next())
        negative = bool(signs) and signs[-1].text == "-" and self.token.kind in ("int", "double")
        if negative:
            signs.pop()
        node = self._member(self._number(-1) if negative else self._primary())
        for sign in reversed(signs):
            node = Unary(self._above(node), sign.text, node)
        return node

    def _member(self, node: Node) -> Node:
        while True:
            if self._take("["):
                key = self.expression()
                self._expect("]")
                if isinstance(key, Constant) and isinstance(key.value, str):
                    self._check_field(node, key.value)
                node = Index(self._above(node, key), node, key)
            elif self._take("."):
                name = self._name()
                if self._take("("):
                    node = self._method(node, name)
                else:
                    self._check_field(node, name)
                    node = Field(self._above(node), node, name)
            else:
                return node

    def _method(self, of: Node, name: str) -> Node:
        if name in MACROS:
            return self._loop(of, name)
        return self._call(name, (of, *self._listed(")")))

    def _primary(self) -> Node:
        token = self.token
        if token.kind in ("int", "double"):
            return self._number(1)
        if token.kind == "text":
            return Constant(1, self._text())
        if self._take("("):
            node = self.expression()
            self._expect(")")
            return node
        if self._take("["):
            items = self._listed("]")
            return ListOf(self._above(*items), items)
        if self._take("{"):
            return self._map()
        self._take(".")
        name = self._name()
        if name in _WORDS:
            return Constant(1, _WORDS[name])
        if not self._take("("):
            return self._variable(name)
        return self._has() if name == "has" else self._call(name, self._listed(")"))

    def _variable(self, name: str) -> Node:
        if name not in self._variables and name not in TYPES:
            raise InvalidConfig(_unknown("variable", name, self._variables))
        return Name(1, name)

    def _has(self) -> Node:
        field = self.expression()
        self._expect(")")
        if not isinstance(field, Field):
            raise InvalidConfig("has() takes a field, such as has(body.tag).")
        return Field(field.depth, field.of, field.name, asked=True)

    def _call(self, name: str, arguments: tuple[Node, ...]) -> Node:
        function = FUNCTIONS.get(name)
        if function is None:
            raise InvalidConfig(_unknown("function", name, [*FUNCTIONS, *MACROS, "has"]))
        most = len(function.takes)
        least = most - function.optional
        if not least <= len(arguments) <= most:
            raise InvalidConfig(f"{name}() is written {function.usage(name)}.")
        if name == "matches" and isinstance(pattern := arguments[1], Constant):
            if not isinstance(pattern.value, str):
                raise InvalidConfig(f"{name}() is written {function.usage(name)}.")
            arguments = arguments[0], Constant(1, compile_regex(pattern.value, "cel"))
        return FunctionCall(self._above(*arguments), name, arguments)

    def _loop(self, over: Node, macro: str) -> Node:
        variable = self._name()
        if variable in TYPES or variable in _WORDS:
            self.fail("the variable of a loop needs a name of its own")
        self._expect(",")
        before = dict(self._variables)
        self._variables[variable] = None
        parts = self._listed(")")
        self._variables = before
        if len(parts) != 1 and not (macro == "map" and len(parts) == 2):
            raise InvalidConfig(f"{macro}() is written list.{macro}(x, expression).")
        result = parts[-1] if macro == "map" else None
        test = None if macro == "map" and len(parts) == 1 else parts[0]
        return Loop(self._above(over, *parts), macro, over, variable, test, result)

    def _map(self) -> Node:
        entries = []
        while not self._take("}"):
            key = self.expression()
            self._expect(":")
            entries.append((key, self.expression()))
            if not self._take(",") and self.token.text != "}":
                self.fail("a comma or } is missing")
        return MapOf(self._above(*[node for entry in entries for node in entry]), tuple(entries))

    def _listed(self, end: str) -> tuple[Node, ...]:
        items = []
        while not self._take(end):
            items.append(self.expression())
            if not self._take(",") and self.token.text != end:
                self.fail(f"a comma or {end} is missing")
        return tuple(items)

    def _number(self, sign: int) -> Node:
        token = self._next()
        if token.kind == "double":
            return Constant(1, sign * float(token.text))
        digits = token.text.rstrip("uU")
        value = sign * (int(digits, 16) if digits[:2].lower() == "0x" else int(digits[:25]))
        unsigned = digits != token.text
        lowest, highest = (0, 2 * INT_MAX + 1) if unsigned else (-INT_MAX - 1, INT_MAX)
        if len(digits) > 25 or not lowest <= value <= highest:
            raise InvalidConfig(f"{token.text[:30]} is no whole number of 64 bits.")
        return Constant(1, Uint(value) if unsigned else value)

    def _text(self) -> str | bytes:
        prefix, body = _parts(self._next().text)
        if "r" in prefix:
            return body.encode() if "b" in prefix else body
        try:
            if "b" in prefix:
                return _ESCAPE.sub(lambda found: _byte(found[1]), body).encode(
                    "utf-8", "surrogateescape"
                )
            return _ESCAPE.sub(lambda found: _character(found[1]), body)
        except (ValueError, OverflowError):
            self.fail("an escape in a text is unknown,")

    def _name(self) -> str:
        if self.token.kind != "name":
            self.fail("a value or a name is missing")
        return self._next().text

    def _next(self) -> _Token:
        token = self.token
        self._at += token.kind != "end"
        return token

    def _take(self, sign: str) -> bool:
        found = self.token.kind == "sign" and self.token.text == sign
        self._at += found
        return found

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            self.fail(f"{sign} is missing")

    def _above(self, *parts: Node) -> int:
        depth = 1 + max((part.depth for part in parts), default=0)
        if depth > MAX_DEPTH:
            self._too_deep()
        return depth

    def _too_deep(self) -> NoReturn:
        raise InvalidConfig(
            f"this is no CEL expression that can be kept: more than {MAX_DEPTH} brackets or "
            "operators stand within each other; write a shorter one."
        )

    def _check_field(self, of: Node, name: str) -> None:
        """A typo in a field of a variable whose fields are fixed, or in one below those."""
        if isinstance(of, Name) and (fields := self._variables.get(of.name)) is not None:
            if name not in fields:
                raise InvalidConfig(_unknown(f"field of {of.name}", name, fields))
        elif isinstance(of, Field) and isinstance(of.of, Name) and self._variables.get(of.of.name):
            raise InvalidConfig(f"{of.of.name}.{of.name} is a text and has no field {name[:50]!r}.")


def _parts(text: str) -> tuple[str, str]:
    """The prefix of a text in lower case, and what stands between its quotes."""
    body = text.lstrip("rRbB")
    width = 3 if body[:3] in ("'''", '"""') and len(body) >= 6 else 1
    return text[: len(text) - len(body)].lower(), body[width:-width]


def _character(escape: str) -> str:
    if escape in _ESCAPES:
        return _ESCAPES[escape]
    code = int(escape, 8) if escape.isdigit() else int(escape[1:], 16)
    if 0xD800 <= code < 0xE000:
        raise ValueError("half a character")
    return chr(code)


def _byte(escape: str) -> str:
    """In bytes, numbers are bytes: above ASCII they pass as what encodes to them."""
    found = _character(escape)
    return found if escape[0] in "uU" or ord(found) < 128 else chr(0xDC00 + ord(found))


def _unknown(noun: str, name: str, known: Collection[str]) -> str:
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"there is no {noun} {name[:50]!r}; {hint}There are: {', '.join(sorted(known))}."
