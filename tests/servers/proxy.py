"""A TCP proxy that can hold everything back, forget connections, or lead new ones elsewhere."""

import select
import socket
import ssl
import threading
from contextlib import suppress
from typing import Self


class Proxy:
    """Use as a context manager; while it is held, no byte passes in either direction.

    Args:
        tls: with it, clients speak TLS to the proxy.
    """

    def __init__(self, target_port: int, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._target = ("127.0.0.1", target_port)
        self._open = threading.Event()
        self._open.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._forgotten: set[socket.socket] = set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.set()
        # A thread in accept() wakes up on shutdown, and on Linux not on close alone.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._sockets:
            with suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)
            each.close()

    def hold(self) -> None:
        self._open.clear()

    def lead_to(self, target_port: int) -> None:
        """Lead new connections there; those that are open stay where they are."""
        self._target = ("127.0.0.1", target_port)

    def forget(self) -> None:
        """Drop all that comes over what is open now, as a firewall that lost its table does."""
        self._forgotten = set(self._sockets)

    def release(self) -> None:
        self._open.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                if self._tls is not None:
                    client = self._tls.wrap_socket(client, server_side=True)
                server = socket.create_connection(self._target)
            except OSError:
                client.close()  # it does not trust us, or there is no server now
                continue
            self._sockets += [client, server]
            if self._tls is not None:
                threading.Thread(target=self._relay, args=(client, server), daemon=True).start()
                continue
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _relay(self, client: ssl.SSLSocket, server: socket.socket) -> None:
        """Both directions in one thread: two that use one TLS connection end the process."""
        sinks = {client: server, server: client}
        try:
            while True:
                waiting = [client] if client.pending() else select.select(list(sinks), [], [])[0]
                for source in waiting:
                    data = source.recv(65536)
                    self._open.wait()
                    if not data:
                        return
                    if source not in self._forgotten:
                        sinks[source].sendall(data)
        except (OSError, ValueError):
            return  # one side has gone, or the proxy ends
        finally:
            for each in sinks:
                each.close()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self._open.wait()
                if source not in self._forgotten:
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for each in (source, sink):
                # The other thread waits on it, and until then a close alone tells nobody.
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()
