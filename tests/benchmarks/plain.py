"""What the host is compared with: a bare Starlette handler, and the same inserts by hand.

``python -m tests.benchmarks.plain [DATABASE] PORT``: with a database file each call is two rows,
committed in groups by one thread before the answer.
"""

import asyncio
import hashlib
import json
import os
import queue
import sqlite3
import sys
import threading
import time
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

DELIVERY = """INSERT INTO deliveries (id, project, receiver, state, items, client, received, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
EXECUTION = """INSERT INTO executions (id, project, receiver, delivery, driver, slot, "coalesce",
    named, event, identity, dedupe, ordered, state, created, due, driver_state, changes)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""
Rows = tuple[tuple[Any, ...], tuple[Any, ...]]


async def bare(request: Request) -> JSONResponse:
    """Read a JSON body and answer."""
    return JSONResponse({"tag": json.loads(await request.body())["push_data"]["tag"]})


class GroupCommit:
    """The two rows of a push, as few lines as they can be written in."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._queue: queue.SimpleQueue[tuple[Rows, asyncio.Future[None]]] = queue.SimpleQueue()
        threading.Thread(target=self._write, daemon=True).start()

    async def call(self, request: Request) -> JSONResponse:
        body = await request.body()
        rows = _rows(body, request.query_params["key"])
        stored = asyncio.get_running_loop().create_future()
        self._queue.put((rows, stored))
        await stored
        return JSONResponse({"id": rows[0][0]})

    def _write(self) -> None:
        connection = sqlite3.connect(self._file, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        while True:
            group = [self._queue.get()]
            while not self._queue.empty() and len(group) < 256:
                group.append(self._queue.get())
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(DELIVERY, [rows[0] for rows, _ in group])
            connection.executemany(EXECUTION, [rows[1] for rows, _ in group])
            connection.execute("COMMIT")
            futures = [future for _, future in group]
            futures[0].get_loop().call_soon_threadsafe(_resolve, futures)


def _resolve(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


def _rows(body: bytes, key: str) -> Rows:
    push = json.loads(body)
    tag, moment = push["push_data"]["tag"], push["push_data"]["pushed_at"]
    repository = push["repository"]["repo_name"]
    receiver = hashlib.sha256(key.encode()).hexdigest()[:40]
    identity = hashlib.sha256(f"{repository}:{tag} {moment}".encode()).hexdigest()[:32]
    now = time.time_ns() // 1000
    delivery, execution = (f"{kind}_{now:012x}{os.urandom(10).hex()}" for kind in ("dlv", "exe"))
    event = json.dumps({"repository": repository, "tag": tag, "pushed_at": moment})
    items = json.dumps([{"subject": f"{repository}:{tag}", "execution": execution}])
    return (
        (delivery, "1a5", receiver, "accepted", items, "127.0.0.1", now, body),
        (execution, "1a5", receiver, delivery, "stub", "1a5/stub", 1, 0, event, identity)
        + (identity, moment * 1_000_000, "queued", now, now, "{}", "[]"),
    )


def main() -> None:
    *rest, port = sys.argv[1:]
    handler = GroupCommit(rest[0]).call if rest else bare
    app = Starlette(routes=[Route("/v1-webhooks/endpoint", handler, methods=["POST"])])
    uvicorn.run(app, port=int(port), log_config=None, access_log=False, server_header=False)


if __name__ == "__main__":
    main()
