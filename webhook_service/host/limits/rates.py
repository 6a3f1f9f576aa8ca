"""Buckets: how many calls one address and one receiver may make, decided before the database.

Memory is bounded: of the many buckets the least recently used is forgotten, and begins full again.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from webhook_service.errors import TooManyRequests
from webhook_service.host.http.address import network_of

MAX_BUCKETS = 65_536
UNKNOWN_KEY_COST = 20
# The same for every refusal: what is left in a bucket would tell whether a key is known.
RETRY_AFTER = 5


@dataclass(frozen=True, slots=True)
class Rate:
    """Calls per second for long, and at once. 0 per second is no limit."""

    per_second: float = 0.0
    burst: float = 0.0

    def shared_by(self, cost: float) -> Rate:
        """The rate of calls that each take so many tokens."""
        return Rate(self.per_second / cost, max(1.0, self.burst / cost))


class Buckets:
    """Token buckets by name. For the event loop alone, so that no lock is needed.

    Args:
        rate: at which each bucket fills, and what fits in it.
        size: how many buckets are kept.
        clock: seconds that never go back.
    """

    def __init__(
        self, rate: Rate, size: int = MAX_BUCKETS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate.per_second
        self._burst = rate.burst if rate.per_second else inf
        self._size = size
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __contains__(self, name: str) -> bool:
        return name in self._buckets

    def __len__(self) -> int:
        return len(self._buckets)

    def left(self, name: str) -> float:
        """The tokens in a bucket now."""
        tokens, moment = self._buckets.get(name, (self._burst, 0.0))
        return min(self._burst, tokens + (self._clock() - moment) * self._rate)

    def take(self, name: str) -> bool:
        """Take a token; false if there is none."""
        left = self.left(name)
        taken = left >= 1
        self._buckets[name] = (left - taken, self._clock())
        self._buckets.move_to_end(name)
        if len(self._buckets) > self._size:
            self._buckets.popitem(last=False)
        return taken


class CallRates:
    """Refuses the calls of an address or to a receiver that come too fast.

    Unknown keys have a small bucket of their own for each address. When it is empty, the address
    may call only with keys that are known to be live, so that whoever guesses keys behind the
    address of a public registry does not lock its other users out.

    Args:
        address: of one IPv4 address, or IPv6 network of 64 bits.
        receiver: of one endpoint key.
        on_limit: is told which limit was met.
    """

    def __init__(
        self,
        address: Rate | None = None,
        receiver: Rate | None = None,
        on_limit: Callable[[str], None] = lambda limit: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        address, receiver = address or Rate(), receiver or Rate()
        self._addresses = Buckets(address, clock=clock)
        self._unknown = Buckets(address.shared_by(UNKNOWN_KEY_COST), clock=clock)
        self._receivers = Buckets(receiver, clock=clock)
        self._on_limit = on_limit

    def admit(self, client: str, key: str) -> None:
        """Let a call pass, before anything is looked up for it.

        Raises:
            TooManyRequests: equal for every key.
        """
        source, live = network_of(client), key in self._receivers
        if source and not self._addresses.take(source):
            self._refuse("calls_of_address")
        if source and not live and self._unknown.left(source) < 1:
            self._refuse("unknown_keys_of_address")
        if live and not self._receivers.take(key):
            self._refuse("calls_of_receiver")

    def known(self, key: str) -> None:
        """Remember that a key is live; it has had its first call."""
        if key not in self._receivers:
            self._receivers.take(key)

    def unknown(self, client: str) -> None:
        """Count a call with an unknown key."""
        if source := network_of(client):
            self._unknown.take(source)

    def _refuse(self, limit: str) -> None:
        self._on_limit(limit)
        raise TooManyRequests("Too many calls; send this one again later.", RETRY_AFTER)
