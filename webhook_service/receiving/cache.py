"""From a key to its compiled receiver, compiled once per version."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar

from webhook_service.errors import (
    InvalidConfig,
    NotFound,
    PluginUnavailable,
    UnknownKey,
    WebhookServiceError,
)
from webhook_service.model.delivery import Call, Decision
from webhook_service.model.ids import fingerprint, is_key
from webhook_service.model.receiver import Receiver
from webhook_service.plugins.instances import Drivers, Formats, Schemes
from webhook_service.receiving.compiled import CompiledReceiver, compile_receiver
from webhook_service.store.receivers import ReceiverStore

MAX_COMPILED = 10_000
K = TypeVar("K")
REVOKED = "Requested webhook has been revoked/does not exist for this account"


class CompiledReceivers:
    """Finds and compiles receivers; the newest 10,000 or so stay compiled."""

    def __init__(
        self, receivers: ReceiverStore, drivers: Drivers, formats: Formats, schemes: Schemes
    ) -> None:
        self._receivers = receivers
        self._drivers = drivers
        self._formats = formats
        self._schemes = schemes
        self._by_id: dict[str, CompiledReceiver] = {}
        self._by_key: dict[tuple[str, str], CompiledReceiver] = {}

    def decide_from_memory(self, project: str, key: str, call: Call) -> Decision | None:
        """Decide on a call by what is remembered; None for what the database has to be asked about.

        That is: a receiver that is not remembered, a call that would hold up others, and one that
        would be refused, which memory alone must not do. The decision says what it is based on.
        """
        # What the key led to before; whether it still does is for the writer to find out.
        compiled = self._by_key.get((project, fingerprint(key)))
        if compiled is None or not compiled.is_quick(call):
            return None
        try:
            return compiled.decide(call, datetime.now(UTC), compiled.basis(key))
        except WebhookServiceError:
            return None

    def find(self, project: str, key: str) -> CompiledReceiver:
        """The receiver that a live key belongs to.

        Raises:
            UnknownKey: no receiver of the project has this key.
        """
        mark = project, fingerprint(key)
        try:
            compiled = self._look_up(project, key)
        except UnknownKey:
            self._by_key.pop(mark, None)
            raise
        _remember(self._by_key, mark, compiled)
        return compiled

    def of(self, receiver: Receiver) -> CompiledReceiver:
        """A stored receiver, compiled.

        Raises:
            InvalidConfig, PluginUnavailable: see ``compile_receiver``.
        """
        compiled = self._by_id.get(receiver.id)
        if compiled is None or compiled.receiver.version != receiver.version:
            compiled = self.compile(receiver)
            _remember(self._by_id, receiver.id, compiled)
        return compiled

    def compile(self, receiver: Receiver) -> CompiledReceiver:
        """Compile a receiver that need not be stored, to see whether it can work.

        Raises:
            InvalidConfig, PluginUnavailable: see ``compile_receiver``.
        """
        return compile_receiver(receiver, self._drivers, self._formats, self._schemes)

    def problem(self, receiver: Receiver) -> str | None:
        """Why a stored receiver cannot take calls: a rule that this release refuses, or a plug-in
        that is not installed."""
        try:
            self.of(receiver)
        except (InvalidConfig, PluginUnavailable) as exc:
            return exc.message
        return None

    def forget(self, receiver_id: str) -> None:
        """Drop a deleted receiver."""
        self._by_id.pop(receiver_id, None)
        for mark, compiled in list(self._by_key.items()):
            if compiled.receiver.id == receiver_id:
                self._by_key.pop(mark, None)

    def _look_up(self, project: str, key: str) -> CompiledReceiver:
        found = self._receivers.find_by_key(project, key) if is_key(key) else None
        if found is None:
            raise UnknownKey(REVOKED)
        id_, version = found
        compiled = self._by_id.get(id_)
        if compiled is not None and compiled.receiver.version == version:
            return compiled
        try:
            return self.of(self._receivers.get(project, id_))
        except NotFound as exc:
            raise UnknownKey(REVOKED) from exc


def _remember(compiled: dict[K, CompiledReceiver], name: K, newest: CompiledReceiver) -> None:
    """Keep a compiled receiver, and forget the oldest one if there are too many."""
    with suppress(StopIteration, RuntimeError):  # another thread is at it as well
        if name not in compiled and len(compiled) >= MAX_COMPILED:
            compiled.pop(next(iter(compiled)), None)
    compiled[name] = newest
