"""A mutating admission webhook that a real API server calls."""

import base64
import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from tests.servers.certificates import self_signed, server_side

Mutate = Callable[[dict[str, Any]], None]


@contextmanager
def mutating_webhook(folder: Path, mutate: Mutate) -> Iterator[dict[str, Any]]:
    """The ``clientConfig`` of a webhook that changes objects of workloads in place."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(_reviewed(review, mutate)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Nothing: tests read objects."""

    key, certificate = self_signed(folder, "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    side: ssl.SSLContext = server_side(key, certificate)
    server.socket = side.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        bundle = base64.b64encode(certificate.read_bytes()).decode()
        url = f"https://127.0.0.1:{server.server_address[1]}/"
        yield {"url": url, "caBundle": bundle}
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _reviewed(review: dict[str, Any], mutate: Mutate) -> dict[str, Any]:
    request = review["request"]
    before, after = request["object"], json.loads(json.dumps(request["object"]))
    mutate(after)
    response: dict[str, Any] = {"uid": request["uid"], "allowed": True}
    if after != before:
        patch = [{"op": "replace", "path": "/spec", "value": after["spec"]}]
        encoded = base64.b64encode(json.dumps(patch).encode()).decode()
        response |= {"patchType": "JSONPatch", "patch": encoded}
    return {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}
