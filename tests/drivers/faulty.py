"""An API server that misbehaves: each test says what it writes to the socket."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

Behaviour = Callable[["Handler"], None]


@dataclass(frozen=True)
class Request:
    path: str
    headers: Message
    content: bytes


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    behaviour: Behaviour
    requests: list[Request]
    released: Event

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.requests.append(Request(self.path, self.headers, self.rfile.read(length)))
        type(self).behaviour(self)

    do_GET = do_PATCH = do_POST = do_DELETE = answer

    def reply(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status: int, message: str, **headers: str) -> None:
        body = {"kind": "Status", "status": "Failure", "message": message, "code": status}
        self.reply(status, json.dumps(body).encode(), **headers)

    def log_message(self, *args: Any) -> None:
        """Nothing: tests read answers."""


class Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: clients go away in the middle of answers here."""


@contextmanager
def faulty(behaviour: Behaviour) -> Iterator[tuple[str, list[Request]]]:
    """The URL of a server that answers so, and the requests it got."""
    requests: list[Request] = []
    released = Event()
    fields = {"behaviour": staticmethod(behaviour), "requests": requests, "released": released}
    server = Server(("127.0.0.1", 0), type("Behaving", (Handler,), fields))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", requests
    finally:
        released.set()
        server.shutdown()
        server.server_close()
        thread.join()


def unused_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def kubeconfig(folder: Path, **clusters: str) -> Path:
    """A kubeconfig with one context per keyword; the first one is the current."""
    names = list(clusters)
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": clusters[name]}} for name in names],
        "users": [{"name": name, "user": {"token": f"token-of-{name}"}} for name in names],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in names],
        "current-context": names[0],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return path
