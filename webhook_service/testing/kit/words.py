"""What plug-ins say to people: it can be stored, it says something, and it gives no secret away."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel, Secret, SecretBytes, SecretStr

from webhook_service.plugins.boundary import (
    MAX_STATE,
    Unstorable,
    storable_changes,
    storable_json,
    storable_slot,
    storable_text,
)
from webhook_service.testing.kit.faults import Fault, require, shown

MAX_WORDS = 2000
# Shorter ones are parts of ordinary words.
SHORTEST_SECRET = 4


def secrets_in(value: object) -> set[str]:
    """The secrets that a config holds, wherever they stand in it."""
    if isinstance(value, SecretStr | Secret):
        return {str(value.get_secret_value())}
    if isinstance(value, SecretBytes):
        return {value.get_secret_value().decode("utf-8", "replace")}
    if isinstance(value, BaseModel):
        return secrets_in(dict(value))
    if isinstance(value, Mapping):
        return set[str]().union(*(secrets_in(each) for each in value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return set[str]().union(*(secrets_in(each) for each in value))
    return set()


class Words:
    """Checks each text of a plug-in.

    Args:
        secrets: what no text may hold.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = [each for each in secrets if len(each) >= SHORTEST_SECRET]

    def check(self, what: str, text: object, *, empty: bool = True) -> None:
        """A text that can be stored as it is.

        Args:
            what: begins the sentence: "The message of Done".
            empty: whether it may say nothing.
        """
        if not isinstance(text, str):
            raise Fault(f"{what} is a {type(text).__name__} and no text.")
        self.check_secrets(what, text)
        require(empty or text.strip(), f"{what} is empty: say what happened, for people read it.")
        kept = storable_text(text, MAX_WORDS)
        require(
            len(text) <= MAX_WORDS,
            f"{what} has {len(text)} characters, and {MAX_WORDS} at most are kept.",
        )
        require(
            kept == text,
            f"{what} has characters that no database takes (NUL, or half of a pair): "
            f"{shown(text)}.",
        )

    def check_secrets(self, what: str, text: str) -> None:
        """A text without a secret; the sentence does not repeat it."""
        found = any(secret in text for secret in self._secrets)
        require(
            not found,
            f"{what} shows a secret of the config: people read it. Leave the secret out, and of a "
            "library's exception say fault_of(exc) only.",
        )

    def check_changes(self, what: str, changes: object) -> None:
        """Changes that can be stored as they are."""
        try:
            kept = storable_changes(changes)
        except Unstorable as exc:
            raise Fault(f"{what} cannot be stored: {exc}.") from exc
        for change in kept:
            for text in (change.target, change.field, change.before or "", change.after or ""):
                self.check_secrets(f"A change of {what}", text)
        require(
            kept == tuple(changes),  # type: ignore[arg-type]
            f"{what} hold texts that are too long, or that no database takes.",
        )

    def check_state(self, state: object) -> None:
        """A state that comes back as it was."""
        try:
            kept = storable_json(state, "state")
        except Unstorable as exc:
            raise Fault(f"The state of Wait cannot be stored: {exc}.") from exc
        self.check_secrets("The state of Wait", json.dumps(kept))
        require(
            kept == state,
            f"The state of Wait comes back from JSON as {shown(kept)}, and was {shown(state)}: use "
            f"texts, numbers, lists and dicts with text keys, of {MAX_STATE // 1024} KiB at most.",
        )

    def check_slot(self, slot: object) -> None:
        """A slot that can be stored."""
        try:
            self.check_secrets("The slot", storable_slot(slot))
        except Unstorable as exc:
            raise Fault(f"What slot() gives cannot be stored: {exc}.") from exc

    @contextmanager
    def check_logs(self) -> Iterator[None]:
        """No line of the log shows a secret meanwhile."""
        if not self._secrets:
            yield
            return
        lines: list[str] = []
        handler = _Kept(lines)
        root = logging.getLogger()
        root.addHandler(handler)
        try:
            yield
        finally:
            root.removeHandler(handler)
        for line in lines:
            self.check_secrets("A line of the log", line)


class _Kept(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.INFO)
        self._lines = lines
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> Any:
        self._lines.append(self.format(record))
