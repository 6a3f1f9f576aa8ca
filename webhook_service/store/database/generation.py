"""Generations of connections: after a failure, none from before it is used again.

A connection in use stays its user's. When it is back in the pool, the next one who asks gets a new
one in its place. ``Engine.dispose`` would forget those in use, and nobody would close them:
https://docs.sqlalchemy.org/en/20/core/pooling.html#disconnect-handling-pessimistic
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError

_MADE_IN = "generation"


class Generation:
    """The connections that may be used.

    Args:
        engines: whose connections they are.
    """

    def __init__(self, *engines: Engine) -> None:
        self._number = 0
        for engine in engines:
            event.listen(engine, "connect", self._mark)
            event.listen(engine, "checkout", self._require_own)

    def end(self) -> None:
        """Let every connection be replaced before it is used again."""
        self._number += 1

    def _mark(self, _: Any, record: Any) -> None:
        record.info[_MADE_IN] = self._number

    def _require_own(self, _: Any, record: Any, __: Any) -> None:
        if record.info.get(_MADE_IN) != self._number:
            raise DisconnectionError
