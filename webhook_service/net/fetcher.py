"""Fetching small documents from other servers: keys, certificates, confirmations."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from webhook_service.errors import OutboundError
from webhook_service.net.lazy import Lazy
from webhook_service.settings import Settings

if TYPE_CHECKING:
    from webhook_service.net.outbound import Outbound

MAX_BYTES = 256 * 1024
TIMEOUT = 5.0


class Fetcher:
    """GETs documents over the one outbound client.

    Args:
        outbound: the client, made at the first call.
    """

    def __init__(self, outbound: Lazy[Outbound]) -> None:
        self._outbound = outbound

    def __call__(self, url: str) -> bytes:
        """The body that a URL answers with.

        Raises:
            OutboundError: there is no answer, or one that is not 200.
        """
        reply = self._outbound().request("GET", url, timeout=TIMEOUT, max_bytes=MAX_BYTES)
        if reply.status != 200:
            raise OutboundError(f"The answer is {reply.status}.", transient=reply.status >= 500)
        return reply.body


def outbound_of(settings: Settings) -> Lazy[Outbound]:
    """The outbound client that settings describe."""
    return Lazy(partial(_open, settings))


def _open(settings: Settings) -> Outbound:
    from webhook_service.net.outbound import Outbound

    return Outbound(allow_private=settings.allow_private)
