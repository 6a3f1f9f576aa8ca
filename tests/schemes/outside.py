"""What tests of schemes that ask other servers share."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

from webhook_service.net.fetcher import Fetcher
from webhook_service.net.lazy import Lazy
from webhook_service.net.outbound import Outbound

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LOOPBACK = (ip_network("127.0.0.0/8"),)


class Clock:
    """A clock that tests set; also the ticks of what is kept."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.passed)

    def ticks(self) -> float:
        return self.passed


@contextmanager
def loopback_fetcher() -> Iterator[Fetcher]:
    """The service's own way out, with this machine allowed."""
    outbound = Lazy(lambda: Outbound(allow_private=LOOPBACK))
    try:
        yield Fetcher(outbound)
    finally:
        outbound.close()
