"""Slow sockets, in a process of their own so that they do not slow down who measures."""

import asyncio
import time
from dataclasses import dataclass
from itertools import cycle

from webhook_service.host.limits.connections import allow_open_files

PER_ADDRESS = 100
STAGGER = 10.0


@dataclass(frozen=True)
class Attack:
    """Sockets that send nothing, or one byte a second of a head or a body.

    They come from as many addresses as the cap on connections asks for, and come again when they
    are closed until ``seconds`` are over.
    """

    port: int
    path: str
    sockets: int
    seconds: float

    def run(self) -> list[float]:
        """Attack until the end; gives for how many seconds each socket was kept open."""
        allow_open_files(self.sockets)
        return asyncio.run(self._run())

    async def _run(self) -> list[float]:
        head = f"POST {self.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
        kinds = cycle([b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: ", head.encode()])
        found = await asyncio.gather(
            *(self._keep_at_it(number, next(kinds)) for number in range(self.sockets))
        )
        return [life for lives in found for life in lives]

    async def _keep_at_it(self, number: int, first: bytes) -> list[float]:
        ends, lives = time.monotonic() + self.seconds, []
        await asyncio.sleep(number / self.sockets * min(STAGGER, self.seconds))
        while not lives or time.monotonic() < ends:
            lives.append(await self._drip(f"127.0.1.{1 + number // PER_ADDRESS}", first))
        return lives

    async def _drip(self, source: str, first: bytes) -> float:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, local_addr=(source, 0)
        )
        started = time.monotonic()
        closed = asyncio.ensure_future(reader.read())
        try:
            writer.write(first)
            while not (await asyncio.wait([closed], timeout=1))[0]:
                if first:
                    writer.write(b"x")
            await closed
        except OSError:
            pass
        finally:
            closed.cancel()
            writer.close()
        return time.monotonic() - started
