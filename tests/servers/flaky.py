"""An HTTP proxy before an API server, which answers some requests wrongly, late or not at all."""

import http.client
import json
import socket
import threading
from collections.abc import Callable
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive"}


class Fault(StrEnum):
    """What may happen to a request instead of a forwarded answer."""

    REFUSED = "refused"
    """The connection ends before anything happened."""
    LOST = "lost"
    """It is done, and the answer never comes."""
    HANGS = "hangs"
    """Nothing happens until the fault is over."""
    CONFLICT = "409"
    GONE = "410"
    BUSY = "429"
    BROKEN = "500"


class FlakyApi:
    """Use as a context manager. ``choose`` is asked before each request; None lets it pass."""

    def __init__(self, target: str, choose: Callable[[], Fault | None]) -> None:
        parts = urlsplit(target)
        self.choose = choose
        self.over = threading.Event()
        fields = {"api": self, "target": (parts.hostname, parts.port)}
        self._server = _Server(("127.0.0.1", 0), type("FlakyHandler", (_Handler,), fields))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end_faults()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def end_faults(self) -> None:
        """From now on every request passes, also those that hang."""
        self.choose = lambda: None
        self.over.set()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: clients go away here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: FlakyApi
    target: tuple[str, int]

    def forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        match self.api.choose():
            case None:
                self._pass(body)
            case Fault.REFUSED:
                self._cut()
            case Fault.LOST:
                self._ask(body)
                self._cut()
            case Fault.HANGS:
                self.api.over.wait(60)
                self._cut()
            case fault:
                self._refuse(int(fault))

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = forward

    def _pass(self, body: bytes) -> None:
        status, headers, data = self._ask(body)
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in HOP_BY_HOP | {"content-length", "date", "server"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(*self.target, timeout=30)
        try:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _refuse(self, status: int) -> None:
        told = {"kind": "Status", "status": "Failure", "message": "a fault", "code": status}
        data = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *args: Any) -> None:
        """Nothing: tests read answers."""
