"""Refused calls: of each receiver the newest are kept, so that its people see what is wrong.

Only a live key makes a call one of a receiver; calls of strangers are never stored. Who knows a key
could still send one bad call after the other. So each process keeps at most twenty a minute of one
receiver, and hands them to the writer without waiting for it.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from webhook_service.errors import (
    StoreUnavailable,
    TooManyBodies,
    TooManyRequests,
    UnknownKey,
    WebhookServiceError,
)
from webhook_service.model.delivery import Call, Delivery, DeliveryState, Refusal
from webhook_service.model.ids import DELIVERY, hide_keys, new_id
from webhook_service.model.people.audit import Spec
from webhook_service.model.receiver import HIDDEN
from webhook_service.plugins.instances import Formats, Schemes
from webhook_service.receiving.hints import hint
from webhook_service.store.endpoints.inboxes import InboxStore
from webhook_service.store.endpoints.receivers import ReceiverStore
from webhook_service.store.store import Store

KEPT_BYTES = 4096
KEPT_PER_MINUTE = 20
MAX_MESSAGE = 1000
# A secret may begin before the cut and end behind it.
_LONGEST_SECRET = 4096
_SHORTEST_SECRET = 4
_NOT_KEPT = (UnknownKey, StoreUnavailable, TooManyRequests, TooManyBodies)


class Refusals:
    """Keeps refused calls of known keys.

    Args:
        formats: among which hints look for one that fits; ``schemes`` likewise.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        store: Store,
        formats: Formats,
        schemes: Schemes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._formats = formats
        self._schemes = schemes
        self._clock = clock
        self._lock = threading.Lock()
        self._minute = 0
        self._counts: Counter[str] = Counter()

    @contextmanager
    def kept(self, project: str, key: str, call: Call) -> Iterator[None]:
        """Keep the call if it is refused in the block."""
        try:
            yield
        except WebhookServiceError as exc:
            self.keep(project, key, call, exc)
            raise

    def keep(self, project: str, key: str, call: Call, exc: WebhookServiceError) -> None:
        """Keep a call that was refused, if its key is live; tells the error whose it is.

        What is refused for the sake of the service, such as too many calls, is not kept. This
        raises nothing: the caller is about to answer the refusal.
        """
        if isinstance(exc, _NOT_KEPT):
            return
        with suppress(WebhookServiceError):
            store: ReceiverStore | InboxStore = self._store.receivers
            if (found := store.find_by_key(project, key)) is None:
                store = self._store.inboxes
                found = store.find_by_key(project, key)
            if found is None:
                return
            exc.receiver = found[0]
            if self._has_room(exc.receiver):
                spec = store.get(project, exc.receiver).spec
                delivery = self._delivery(project, spec, call, exc)
                self._store.refused.add(delivery, _shown_body(call.body, key, spec))

    def _delivery(self, project: str, spec: Spec, call: Call, exc: WebhookServiceError) -> Delivery:
        return Delivery(
            id=new_id(DELIVERY),
            project=project,
            receiver=exc.receiver or "",
            state=DeliveryState.REFUSED,
            received=self._store.now(),
            reason=exc.code[:40],
            client=call.client[:64],
            refusal=Refusal(
                status=exc.status,
                message=_shown_text(exc.message),
                scheme=spec.verify.scheme,
                format=spec.source.format,
                hint=_shown_text(hint(spec, call, exc, self._formats, self._schemes)),
            ),
        )

    def _has_room(self, receiver: str) -> bool:
        minute = int(self._clock() // 60)
        with self._lock:
            if minute != self._minute:
                self._minute, self._counts = minute, Counter()
            self._counts[receiver] += 1
            return self._counts[receiver] <= KEPT_PER_MINUTE


def _shown_text(text: str) -> str:
    return hide_keys("".join(char if char.isprintable() else "?" for char in text))[:MAX_MESSAGE]


def _shown_body(body: bytes, key: str, spec: Spec) -> bytes:
    """The beginning of a body, without keys and without what its sender proves itself with."""
    part = body[: KEPT_BYTES + _LONGEST_SECRET]
    for secret in sorted([key, *_texts(spec.verify.secrets)], key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            part = part.replace(secret.encode("utf-8", "surrogatepass"), HIDDEN.encode())
    return hide_keys(part.decode("latin-1")).encode("latin-1", "replace")[:KEPT_BYTES]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
