"""What another server answered, and what that means for a driver."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from webhook_service.errors import DriverError, OutboundError, Retry

# The server may take the same call later; so may every server that answers 5xx.
PASSING = frozenset({408, 425, 429})
MAX_RETRY_AFTER = 3600.0
_MOVED = "it sends calls elsewhere, and redirects are not followed. Give the address itself"
_NOT_LET_IN = "it does not let this call in. Check the credentials, and the address"
_NOTHING = "there is nothing at this address, or no more. Check it"
_ADVICE = {
    **dict.fromkeys((301, 302, 303, 307, 308), _MOVED),
    **dict.fromkeys((401, 403), _NOT_LET_IN),
    **dict.fromkeys((404, 410), _NOTHING),
}


@dataclass(frozen=True, slots=True)
class OutboundReply:
    """What a server answered, of any status. Header names are lower case.

    Attributes:
        host: the server's name, for messages.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    host: str = "The server"

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def require_ok(self) -> Self:
        """This reply, if its status is 2xx.

        Raises:
            Retry: 408, 425, 429 or 5xx; after what ``Retry-After`` says, an hour at most.
            DriverError: any other status; its code is ``status_404`` and the like.
        """
        if self.ok:
            return self
        said, code = f"{self.host} answered {self.status}.", f"status_{self.status}"
        if self.status in PASSING or self.status >= 500:
            raise Retry(said, code=code, after=self._retry_after)
        if advice := _ADVICE.get(self.status):
            said = f"{said[:-1]}: {advice}."
        raise DriverError(said, code=code)

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            OutboundError: it is no JSON.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise OutboundError(f"{self.host} answered what is no JSON.") from None

    @property
    def _retry_after(self) -> float:
        text = self.headers.get("retry-after", "").strip()
        return min(float(text), MAX_RETRY_AFTER) if text.isascii() and text.isdigit() else 0.0
