"""Reading fields of untrusted JSON by type, with an error that names the field."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from webhook_service.errors import InvalidPayload
from webhook_service.formats.reading.strict_json import Ambiguous

MAX_TEXT = 255
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Fields:
    """One JSON object of a body, and the path that leads to it.

    Use ``child``, ``elements``, ``text`` and ``optional_text`` for what the decision needs: they
    raise. Use ``part`` and ``note`` for what is only shown: they never raise.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""

    @classmethod
    def of(cls, value: object, path: str = "") -> Fields:
        """Take a JSON value that has to be an object.

        Raises:
            InvalidPayload: it is something else.
        """
        if not isinstance(value, dict):
            raise InvalidPayload(f"{f'`{path}`' if path else 'The body'} must be a JSON object.")
        return cls(value, path)

    def name(self, key: str) -> str:
        """The full path of a field, as error messages show it."""
        return f"{self.path}.{key}" if self.path else key

    def has(self, key: str) -> bool:
        """Whether the field is there and not null."""
        return key in self._twice or self.values.get(key) is not None

    def child(self, key: str) -> Fields:
        """An object that must be there.

        Raises:
            InvalidPayload: it is missing, or no object.
        """
        self._expect(key)
        return Fields.of(self._value(key), self.name(key))

    def elements(self, key: str, limit: int) -> Iterator[tuple[str, object]]:
        """The elements of an array that must be there, each with its path.

        Raises:
            InvalidPayload: it is missing, no array, or has more elements than the limit.
        """
        self._expect(key)
        elements = self._value(key)
        if not isinstance(elements, list):
            raise InvalidPayload(f"`{self.name(key)}` must be an array.")
        if len(elements) > limit:
            raise InvalidPayload(f"`{self.name(key)}` has more than {limit} elements.")
        return ((f"{self.name(key)}[{i}]", element) for i, element in enumerate(elements))

    def text(self, key: str, limit: int = MAX_TEXT) -> str:
        """A text that must be there and not be empty.

        Raises:
            InvalidPayload: it is missing, empty, no text, or longer than the limit.
        """
        self._expect(key)
        text = self.optional_text(key, limit)
        if text is None:
            raise InvalidPayload(f"`{self.name(key)}` is empty.")
        return text

    def optional_text(self, key: str, limit: int = MAX_TEXT) -> str | None:
        """A text that may be missing, null or empty (all ``None``).

        Raises:
            InvalidPayload: it is no text, longer than the limit, or has half a surrogate pair or
                NUL in it.
        """
        value = self._value(key)
        if value is None:
            return None
        if not isinstance(value, str):
            raise InvalidPayload(f"`{self.name(key)}` must be a text.")
        if len(value) > limit:
            raise InvalidPayload(f"`{self.name(key)}` is longer than {limit} characters.")
        if _UNSTORABLE.search(value):
            raise InvalidPayload(f"`{self.name(key)}` has half of a surrogate pair, or NUL.")
        return value or None

    def part(self, key: str) -> Fields:
        """An object that is only shown. Anything else reads as an empty object."""
        value = self._shown(key)
        return Fields(value if isinstance(value, dict) else {}, self.name(key))

    def note(self, key: str, limit: int = MAX_TEXT) -> str | None:
        """A short printable text that is only shown. Anything else reads as ``None``."""
        value = self._shown(key)
        if isinstance(value, str) and 0 < len(value) <= limit and value.isprintable():
            return value
        return None

    def _value(self, key: str) -> Any:
        if key in self._twice:
            raise InvalidPayload(f"`{self.name(key)}` stands twice in the body.")
        return self.values.get(key)

    def _shown(self, key: str) -> Any:
        return None if key in self._twice else self.values.get(key)

    @property
    def _twice(self) -> frozenset[str]:
        return self.values.twice if isinstance(self.values, Ambiguous) else frozenset()

    def _expect(self, key: str) -> None:
        if not self.has(key):
            raise InvalidPayload(f"`{self.name(key)}` is missing.")
