"""Pods that answer calls: at an address of this machine, as no container runs anywhere."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from tests.contract.conftest import Cluster
from tests.servers.requirements import require
from webhook_service.testing import Ask, Reply

PORT = 8080


def own_address() -> str:
    """An address of this machine that the API server may call: loopback is refused."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # only picks the interface; nothing is sent
            return str(probe.getsockname()[0])
        except OSError:
            return ""


@contextmanager
def listening(
    cluster: Cluster,
    namespace: str,
    handler: type[BaseHTTPRequestHandler],
    answer: Callable[[Ask, dict[str, Any]], Reply],
) -> Iterator[int]:
    """The port at which pods of the Service shop listen.

    Args:
        handler: answers for them where the cluster is real, ``answer`` where it is not.
    """
    if cluster.fake is not None:
        cluster.fake.answer(namespace, "shop", answer)
        yield PORT
        return
    require("address", bool(own_address()), "give this machine an address besides loopback")
    server = HTTPServer((own_address(), 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
