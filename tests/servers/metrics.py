"""A stand-in for the metrics server: what pods use, for the autoscalers of a real API server."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from tests.servers.api import Api, Json
from tests.servers.certificates import self_signed, server_side

GROUP, VERSION = "metrics.k8s.io", "v1beta1"
ROOT = f"/apis/{GROUP}/{VERSION}"
SERVICES = "/api/v1/namespaces/default/services"
API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"


class Load:
    """What all pods of a list use together, in thousandths of a CPU."""

    def __init__(self) -> None:
        self.millis = 0


@contextmanager
def metrics_server(api: Api, folder: Path) -> Iterator[Load]:
    """Serves the usage of pods as a part of the API server, until the block ends."""
    load = Load()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # The API server also asks for the schemas of what it serves through here.
            if not self.path.startswith(ROOT):
                return self.send_error(404)
            body = json.dumps(_answer(api, load, self.path)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Nothing: tests read objects."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    side = server_side(*self_signed(folder, "localhost"))
    server.socket = side.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        _register(api, server.server_address[1])
        yield load
    finally:
        api.delete(f"{API_SERVICES}/{VERSION}.{GROUP}")
        api.delete(f"{SERVICES}/metrics")
        server.shutdown()
        server.server_close()
        thread.join()


def _register(api: Api, port: int) -> None:
    # An Endpoints object may not name a loopback address; a Service may name a host.
    outside = {"type": "ExternalName", "externalName": "localhost"}
    api.post(SERVICES, {"metadata": {"name": "metrics"}, "spec": outside})
    spec = {
        "group": GROUP,
        "version": VERSION,
        "service": {"namespace": "default", "name": "metrics", "port": port},
        "insecureSkipTLSVerify": True,
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
    }
    api.post(API_SERVICES, {"metadata": {"name": f"{VERSION}.{GROUP}"}, "spec": spec})


def _answer(api: Api, load: Load, path: str) -> Json:
    if urlsplit(path).path.rstrip("/") == ROOT:
        resource = {"name": "pods", "kind": "PodMetrics", "namespaced": True, "verbs": ["list"]}
        return {"kind": "APIResourceList", "groupVersion": f"{GROUP}/{VERSION}"} | {
            "resources": [resource]
        }
    pods = api.get("/api/v1" + path.removeprefix(ROOT))["items"]
    return {
        "kind": "PodMetricsList",
        "apiVersion": f"{GROUP}/{VERSION}",
        "metadata": {},
        "items": [
            _usage(pod, (load.millis + number) // len(pods)) for number, pod in enumerate(pods)
        ],
    }


def _usage(pod: Json, millis: int) -> Json:
    names = [container["name"] for container in pod["spec"]["containers"]]
    usage = [millis] + [0] * (len(names) - 1)
    return {
        "metadata": {key: pod["metadata"][key] for key in ("name", "namespace")},
        "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "window": "0s",
        "containers": [
            {"name": name, "usage": {"cpu": f"{used}m", "memory": "1Mi"}}
            for name, used in zip(names, usage, strict=True)
        ],
    }
