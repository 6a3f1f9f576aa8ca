"""From a key to its compiled receiver, compiled once per version."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from threading import Lock
from typing import TypeVar

from webhook_service.errors import (
    InvalidConfig,
    NotFound,
    PluginUnavailable,
    UnknownKey,
    WebhookServiceError,
)
from webhook_service.match.matcher import compile_match
from webhook_service.match.repositories import RepositoryRule
from webhook_service.model.delivery import Call, Decision
from webhook_service.model.ids import fingerprint, is_key
from webhook_service.model.inbox import Inbox
from webhook_service.model.receiver import Receiver
from webhook_service.plugins.instances import Drivers, Formats, Schemes
from webhook_service.receiving.compiled import CompiledReceiver, compile_receiver
from webhook_service.receiving.gate import Gate, compile_gate
from webhook_service.receiving.inbox import CompiledInbox, Listener, Listeners
from webhook_service.store.store import Store

MAX_COMPILED = 10_000
K = TypeVar("K")
V = TypeVar("V")
Compiled = CompiledReceiver | CompiledInbox
REVOKED = "Requested webhook has been revoked/does not exist for this account"


class CompiledReceivers:
    """Finds and compiles receivers and inboxes; the newest 10,000 or so of each stay compiled."""

    def __init__(self, store: Store, drivers: Drivers, formats: Formats, schemes: Schemes) -> None:
        self._receivers = store.receivers
        self._inboxes = store.inboxes
        self._now = store.now
        self._drivers = drivers
        self._formats = formats
        self._schemes = schemes
        self._by_id: dict[str, CompiledReceiver] = {}
        self._inboxes_by_id: dict[str, CompiledInbox] = {}
        self._by_key: dict[tuple[str, str], Compiled] = {}
        # An inbox of a thousand receivers takes half a second: only one caller compiles it.
        self._compiling: dict[str, Lock] = {}

    def decide_from_memory(self, project: str, key: str, call: Call) -> Decision | None:
        """Decide on a call by what is remembered; None for what the database has to be asked about.

        That is: a receiver that is not remembered, a call that would hold up others, and one that
        would be refused, which memory alone must not do. The decision says what it is based on.
        """
        # What the key led to before; whether it still does is for the writer to find out.
        mark = fingerprint(key)
        compiled = self._by_key.get((project, mark))
        if compiled is None or not compiled.is_quick(call):
            return None
        try:
            return compiled.decide(call, self._now(), compiled.basis(mark))
        except WebhookServiceError:
            return None

    def find(self, project: str, key: str) -> Compiled:
        """The receiver or inbox that a live key belongs to.

        Raises:
            UnknownKey: none of the project has this key.
        """
        mark = project, fingerprint(key)
        try:
            compiled = self._look_up(project, key)
        except UnknownKey:
            self._by_key.pop(mark, None)
            raise
        _remember(self._by_key, mark, compiled)
        return compiled

    def require_live(self, project: str, key: str) -> None:
        """Make sure that a key is live, without a word of any plug-in.

        Raises:
            UnknownKey: none of the project has this key.
        """
        found = is_key(key) and (
            self._receivers.find_by_key(project, key) or self._inboxes.find_by_key(project, key)
        )
        if not found:
            self._by_key.pop((project, fingerprint(key)), None)
            raise UnknownKey(REVOKED)

    def of(self, receiver: Receiver) -> CompiledReceiver:
        """A stored receiver, compiled.

        Raises:
            InvalidConfig, PluginUnavailable: see ``compile_receiver``.
        """
        known = self._by_id.get(receiver.id)
        gate = None if receiver.spec.listen.own_url else self._gates_of(receiver)[0]
        if known is not None and known.receiver.version == receiver.version:
            if gate is None or known.gate is gate:
                return known
        compiled = self.compile(receiver)
        _remember(self._by_id, receiver.id, compiled)
        return compiled

    def of_inbox(self, inbox: Inbox) -> CompiledInbox:
        """A stored inbox, compiled, with those who listen to it now.

        Raises:
            InvalidConfig, PluginUnavailable: see ``compile_gate``.
        """
        with self._compiling.setdefault(inbox.id, Lock()):
            known = self._inboxes_by_id.get(inbox.id)
            if known is not None and known.inbox.generation == inbox.generation:
                return known
            gate = self.compile_inbox(inbox)
            listening = [
                self._listener(receiver, gate, known)
                for receiver in self._receivers.listening(inbox.id)
            ]
            compiled = CompiledInbox(inbox, gate, Listeners(listening))
            _remember(self._inboxes_by_id, inbox.id, compiled)
            return compiled

    def require_listeners(self, inbox: Inbox) -> None:
        """Make sure that an inbox works as it is to be, also for the receivers that listen to it.

        Raises:
            InvalidConfig, PluginUnavailable: it does not; the message says for which receiver.
        """
        gate = self.compile_inbox(inbox)
        for receiver in self._receivers.listening(inbox.id):
            try:
                compile_receiver(receiver, self._drivers, gate)
            except InvalidConfig as exc:
                raise InvalidConfig(
                    f"The receiver {receiver.name} listens to this inbox, and could not go on: "
                    f"{exc.message}"
                ) from exc

    def compile_inbox(self, inbox: Inbox) -> Gate:
        """How an inbox that need not be stored would take calls, to see whether it can work.

        Raises:
            InvalidConfig, PluginUnavailable: see ``compile_gate``.
        """
        known = self._inboxes_by_id.get(inbox.id)
        if known is not None and known.inbox.version == inbox.version:
            if known.inbox.spec == inbox.spec:
                return known.gate
        spec = inbox.spec
        return compile_gate(
            f"inbox {inbox.id}", spec.source, spec.verify, self._formats, self._schemes
        )

    def compile(self, receiver: Receiver) -> CompiledReceiver:
        """Compile a receiver that need not be stored, to see whether it can work.

        Raises:
            InvalidConfig, PluginUnavailable: see ``compile_receiver``.
        """
        gates = self._gates_of(receiver)
        return [compile_receiver(receiver, self._drivers, gate) for gate in gates][0]

    def problem(self, receiver: Receiver) -> str | None:
        """Why a stored receiver cannot take calls: a rule that this release refuses, or a plug-in
        that is not installed."""
        try:
            self.of(receiver)
        except (InvalidConfig, PluginUnavailable) as exc:
            return exc.message
        return None

    def problem_of_inbox(self, inbox: Inbox) -> str | None:
        """Why a stored inbox cannot take calls, likewise."""
        try:
            self.compile_inbox(inbox)
        except (InvalidConfig, PluginUnavailable) as exc:
            return exc.message
        return None

    def forget(self, id_: str) -> None:
        """Drop a deleted receiver or inbox."""
        self._by_id.pop(id_, None)
        self._inboxes_by_id.pop(id_, None)
        self._compiling.pop(id_, None)
        for mark, compiled in list(self._by_key.items()):
            if compiled.basis("").receiver == id_:
                self._by_key.pop(mark, None)

    def _gates_of(self, receiver: Receiver) -> list[Gate]:
        """Through which calls come to a receiver: its own gate first, then those of its inboxes.

        One that nobody can call gets its own, and is refused later.
        """
        spec = receiver.spec
        inboxes = []
        if spec.listen.inboxes:
            inboxes = self._inboxes.named(receiver.project, spec.listen.inboxes)
        gates = [self.compile_inbox(inbox) for inbox in inboxes]
        if spec.listen.own_url or not gates:
            owner = f"receiver {receiver.id}"
            own = compile_gate(owner, spec.source, spec.verify, self._formats, self._schemes)
            gates.insert(0, own)
        return gates

    def _listener(self, receiver: Receiver, gate: Gate, known: CompiledInbox | None) -> Listener:
        """A receiver for its inbox; as it was compiled before, if nothing has changed."""
        old = None if known is None else known.listeners.by_id.get(receiver.id)
        if old is not None and known is not None and known.gate is gate:
            if old.receiver.version == receiver.version and old.compiled is not None:
                return old
        try:
            compiled = compile_receiver(receiver, self._drivers, gate)
        except WebhookServiceError as exc:
            return Listener(receiver, _rules(receiver, gate), None, exc.message)
        return Listener(receiver, compiled.matcher.repositories, compiled)

    def _look_up(self, project: str, key: str) -> Compiled:
        found = self._receivers.find_by_key(project, key) if is_key(key) else None
        if found is None:
            return self._look_up_inbox(project, key)
        id_, version = found
        compiled = self._by_id.get(id_)
        if compiled is not None and compiled.receiver.version == version:
            return compiled
        try:
            return self.of(self._receivers.get(project, id_))
        except NotFound as exc:
            raise UnknownKey(REVOKED) from exc

    def _look_up_inbox(self, project: str, key: str) -> CompiledInbox:
        found = self._inboxes.find_by_key(project, key) if is_key(key) else None
        if found is None:
            raise UnknownKey(REVOKED)
        id_, generation = found
        compiled = self._inboxes_by_id.get(id_)
        if compiled is not None and compiled.inbox.generation == generation:
            return compiled
        try:
            return self.of_inbox(self._inboxes.get(project, id_))
        except NotFound as exc:
            raise UnknownKey(REVOKED) from exc


def _rules(receiver: Receiver, gate: Gate) -> Sequence[RepositoryRule]:
    """What a receiver that cannot be used would be for."""
    try:
        return compile_match(receiver.spec.match, gate.home).repositories
    except WebhookServiceError:
        return ()


def _remember(compiled: dict[K, V], name: K, newest: V) -> None:
    """Keep a compiled receiver, and forget the oldest one if there are too many."""
    with suppress(StopIteration, RuntimeError):  # another thread is at it as well
        if name not in compiled and len(compiled) >= MAX_COMPILED:
            compiled.pop(next(iter(compiled)), None)
    compiled[name] = newest
