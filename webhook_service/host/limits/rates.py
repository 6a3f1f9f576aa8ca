"""Rates: how many calls one address and one receiver may make, decided before anything is read.

Memory is bounded: of the many buckets the least recently used is forgotten, and begins full again.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from webhook_service.errors import TooManyRequests, Unauthenticated, UnknownKey
from webhook_service.host.http.address import network_of

P = ParamSpec("P")
T = TypeVar("T")

MAX_BUCKETS = 65_536
GUESS_COST = 20
GUESS_THREADS = 2
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

    def give_back(self, name: str) -> None:
        """Put back a token that was taken for nothing."""
        tokens, moment = self._buckets.get(name, (self._burst, 0.0))
        self._buckets[name] = (min(self._burst, tokens + 1), moment)


class Guesses:
    """Counts the calls of each address whose key or token is not valid, as guesses.

    Behind the address of a proxy or of a public registry there are others. So an address that has
    guessed too often is not locked out: what is known to be valid passes as before. What was not
    seen yet is looked up in two threads of its own, so that guesses hold up each other only.

    Args:
        rate: of guesses of one address.
        on_limit: is told when a guess was one too many.
    """

    def __init__(
        self,
        rate: Rate | None = None,
        on_limit: Callable[[str], None] = lambda limit: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._addresses = Buckets(rate or Rate(), clock=clock)
        self._valid: OrderedDict[str, None] = OrderedDict()
        self._on_limit = on_limit
        self._threads = CapacityLimiter(GUESS_THREADS)

    def knows(self, credential: str) -> bool:
        """Whether a key or token was valid when it was used last."""
        return credential in self._valid

    def suspects(self, client: str, credential: str) -> bool:
        """Whether a key or token is looked up by ``look_up`` before anything else is done."""
        source = network_of(client)
        return bool(source) and not self.knows(credential) and self._addresses.left(source) < 1

    async def look_up(self, find: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``find`` gives for a suspect.

        Raises:
            TooManyRequests: nothing that is valid; the same words as for any call too many.
        """
        try:
            return await run_sync(partial(find, *args, **kwargs), limiter=self._threads)
        except (UnknownKey, Unauthenticated):
            self._on_limit("guesses_of_address")
            raise too_many() from None

    def right(self, credential: str) -> None:
        """Remember that a key or token is valid."""
        self._valid[credential] = None
        self._valid.move_to_end(credential)
        if len(self._valid) > MAX_BUCKETS:
            self._valid.popitem(last=False)

    def wrong(self, client: str, credential: str) -> None:
        """Count a guess."""
        self._valid.pop(credential, None)
        if source := network_of(client):
            self._addresses.take(source)


class CallRates:
    """Refuses calls with valid keys that come too fast, before anything of them is read.

    Calls that are not proven genuine have a small bucket for each address and key: whoever knows
    a URL only, and calls it, takes nothing from those who can sign.

    Args:
        address: of one IPv4 address, or IPv6 network of 64 bits; a twentieth of it is for guesses.
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
        self.guesses = Guesses(address.shared_by(GUESS_COST), on_limit, clock)
        self._unproven = Buckets(address.shared_by(GUESS_COST), clock=clock)
        self._addresses = Buckets(address, clock=clock)
        self._receivers = Buckets(receiver, clock=clock)
        self._on_limit = on_limit

    def admit(self, client: str, key: str) -> None:
        """Let a call pass, if its key is known to be valid and has not called too often.

        Raises:
            TooManyRequests: equal for every key.
        """
        if not self.guesses.knows(key):
            return
        source = network_of(client)
        if source and self._unproven.left(f"{source} {key}") < 1:
            self._refuse("unproven_calls_of_address")
        if source and self._addresses.left(source) < 1:
            self._refuse("calls_of_address")
        if not self._receivers.take(key):
            self._refuse("calls_of_receiver")
        self._addresses.take(source)

    def accepted(self, client: str, key: str) -> None:
        """Remember a key that was valid; its first call counts, too."""
        if not self.guesses.knows(key):
            self.guesses.right(key)
            self._receivers.take(key)
            self._addresses.take(network_of(client))

    def unproven(self, client: str, key: str) -> None:
        """Count a call with a valid key that was not proven genuine, for its address only."""
        source = network_of(client)
        if self.guesses.knows(key):
            self._receivers.give_back(key)
            self._addresses.give_back(source)
        self.guesses.right(key)
        if source:
            self._unproven.take(f"{source} {key}")

    def _refuse(self, limit: str) -> None:
        self._on_limit(limit)
        raise too_many()


def too_many() -> TooManyRequests:
    """The refusal; the same for all, as what is left of a rate would tell what is valid."""
    return TooManyRequests("Too many calls; send this one again later.", RETRY_AFTER)
