"""The protocol without a socket: bytes go in as the segments that a test chooses."""

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from uvicorn import Config
from uvicorn.server import ServerState

from webhook_service.host.limits.protocol import BoundedProtocol


@dataclass(frozen=True)
class Read:
    """What an application read."""

    path: str
    body: bytes
    headers: list[tuple[str, str]]


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 1), "sockname": ("192.0.2.9", 80)})
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        if not self.closed:
            self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


@dataclass
class Wire:
    """A connection to an application that answers 200 to all."""

    protocol: BoundedProtocol
    transport: Transport
    loop: asyncio.AbstractEventLoop
    read: list[Read] = field(default_factory=list)

    def send(self, segments: Iterable[bytes]) -> list[str]:
        """The statuses of the answers so far, once these segments have come."""
        for segment in segments:
            if self.transport.closed:
                break
            self.protocol.data_received(segment)
            self.settle()
        return re.findall(r"HTTP/1\.1 (\d{3}) ", self.transport.written.decode())

    def settle(self) -> None:
        for _ in range(8):
            self.loop.run_until_complete(asyncio.sleep(0))


@contextmanager
def wires(
    protocol: type[BoundedProtocol] = BoundedProtocol,
) -> Iterator[Callable[[], Wire]]:
    """Called, it gives a new connection."""
    loop = asyncio.new_event_loop()
    made: list[Wire] = []

    def connect() -> Wire:
        seen: list[Read] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            request = Request(scope, receive)
            try:
                body = await request.body()
            except ClientDisconnect:
                return
            seen.append(Read(request.url.path, body, request.headers.items()))
            await Response(b"ok")(scope, receive, send)

        config = Config(app, http=protocol, ws="none", log_config=None)
        wire = Wire(protocol(config, ServerState(), {}, loop), Transport(), loop, seen)
        wire.protocol.connection_made(wire.transport)
        made.append(wire)
        return wire

    try:
        yield connect
    finally:
        for wire in made:
            wire.protocol.connection_lost(None)
            wire.settle()
        loop.close()
