"""A plain HTTP server that keeps every call: the other end for registries and forwarders."""

from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self, cast

from tests.servers.process import wait_until


@dataclass(frozen=True)
class Call:
    path: str
    headers: dict[str, str]
    body: bytes


class Listener:
    """Use as a context manager; set `status` to make it answer with an error."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.calls: list[Call] = []
        self._server = _Server(self)
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), name="listener")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait_for(self, count: int, timeout: float = 30) -> list[Call]:
        assert wait_until(lambda: len(self.calls) >= count, timeout), f"{len(self.calls)} calls"
        return self.calls


class _Server(ThreadingHTTPServer):
    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        listener = cast(_Server, self.server).listener
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        listener.calls.append(Call(self.path, dict(self.headers.items()), body))
        self.send_response(listener.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass
