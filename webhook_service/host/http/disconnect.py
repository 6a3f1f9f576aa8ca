"""The end of a caller's connection."""

from __future__ import annotations

import asyncio

from starlette.types import Receive

PAUSE_SECONDS = 0.1


async def disconnected(receive: Receive) -> None:
    """Wait until the caller is gone.

    A server answers then, and not before. A middleware around the application that answers at once,
    again and again, breaks ASGI: without the pause the loop would serve nobody else.
    https://asgi.readthedocs.io/en/latest/specs/www.html#disconnect-receive-event
    """
    while (await receive())["type"] != "http.disconnect":
        await asyncio.sleep(PAUSE_SECONDS)
