"""A TCP server that plays a script to whoever connects: the ill-behaved other end."""

import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Event, Thread
from typing import Self

Script = Callable[["Canned", socket.socket], None]


class Canned:
    """Use as a context manager; `requests` are the heads that came, `hits` the connections."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.hits = 0
        self.over = Event()
        self._script = script
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self._threads = [Thread(target=self._accept, name="canned")]

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.over.set()
        for each in [self._socket, *self._connections]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._socket.close()

    def read_head(self, connection: socket.socket) -> bytes:
        head = b""
        while b"\r\n\r\n" not in head and (part := connection.recv(65536)):
            head += part
        if head:
            self.requests.append(head)
        return head

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.hits += 1
                connection.settimeout(30)
                self._connections.append(connection)
                self._threads.append(Thread(target=self._play, args=(connection,), name="canned"))
                self._threads[-1].start()

    def _play(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            if self._tls is None:
                self._script(self, connection)
                return
            with self._tls.wrap_socket(connection, server_side=True) as secured:
                self._script(self, secured)


def reply(status: str = "200 OK", body: bytes = b"", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def answering(*replies: bytes) -> Script:
    """One reply after the other on each connection; the last one goes on."""

    def play(server: Canned, connection: socket.socket) -> None:
        number = 0
        while server.read_head(connection):
            connection.sendall(replies[min(number, len(replies) - 1)])
            number += 1

    return play


def routing(routes: Mapping[str, bytes | Sequence[bytes]]) -> Script:
    """Replies by `GET /path`; several are given in turn, and what is not named is a 404."""
    left = {
        asked: [replies] if isinstance(replies, bytes) else list(replies)
        for asked, replies in routes.items()
    }

    def play(server: Canned, connection: socket.socket) -> None:
        while head := server.read_head(connection):
            asked = " ".join(head.decode("latin-1").split(" ", 2)[:2])
            replies = left.get(asked, [reply("404 Not Found")])
            found = replies.pop(0) if len(replies) > 1 else replies[0]
            if head.startswith(b"HEAD"):
                found = found.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            connection.sendall(found)

    return play


def endless(chunk: bytes, head: bytes = b"HTTP/1.1 200 OK\r\n\r\n", pause: float = 0.0) -> Script:
    """Never ends: `chunk` after `chunk`, with a pause in between."""

    def play(server: Canned, connection: socket.socket) -> None:
        server.read_head(connection)
        connection.sendall(head)
        while not server.over.wait(pause):
            connection.sendall(chunk)

    return play


def silent(server: Canned, connection: socket.socket) -> None:
    """Takes the call and says nothing."""
    server.read_head(connection)
    server.over.wait()
