"""``FakeCluster``: a Kubernetes API server with simulated controllers, in this process."""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from webhook_service.testing.fake_cluster.api import patches
from webhook_service.testing.fake_cluster.api.access import Access
from webhook_service.testing.fake_cluster.api.handler import Handler, Request, Service
from webhook_service.testing.fake_cluster.api.paths import ApiPath
from webhook_service.testing.fake_cluster.api.verbs import Api
from webhook_service.testing.fake_cluster.connections import Answer, Logs, PodAnswers
from webhook_service.testing.fake_cluster.controllers import (
    deployments,
    jobs,
    kubelet,
    replicasets,
    statefulsets,
)
from webhook_service.testing.fake_cluster.controllers.controller import (
    Controllers,
    ControllerView,
    Reconcile,
)
from webhook_service.testing.fake_cluster.objects import definitions
from webhook_service.testing.fake_cluster.objects.objects import ObjectStore, clone
from webhook_service.testing.fake_cluster.objects.resources import NAMESPACES, Catalogue, Object

RECONCILERS: dict[str, Reconcile] = {
    "deployments.apps": deployments.reconcile_deployment,
    "replicasets.apps": replicasets.reconcile_replica_set,
    "statefulsets.apps": statefulsets.reconcile_stateful_set,
    "daemonsets.apps": statefulsets.reconcile_daemon_set,
    "jobs.batch": jobs.reconcile_job,
    "pods": kubelet.reconcile_pod,
    "services": kubelet.reconcile_service,
}


class FakeCluster:
    """A Kubernetes API server for tests: real HTTP, real semantics, pods that only pretend.

    Pods become ready after ``ready_delay``, except when the tag of one of their images contains
    ``bad``: they stay in ``ImagePullBackOff``. The namespace ``default`` exists.

    Args:
        ready_delay: seconds from a pod's creation until it is ready.
        token: the bearer token that requests must carry; empty for none, as kubectl needs it,
            which sends no credentials over plain HTTP.
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        nodes: how many nodes DaemonSets run on.
        user: who the token belongs to, in the messages of denied requests.
        history: how many writes watches can look back on, and how many requests are kept.
        routing_delay: seconds from a change of a Service or its pods until its Endpoints show it.
    """

    def __init__(
        self,
        ready_delay: float = 0.05,
        token: str = "fake-cluster-token",
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        nodes: int = 3,
        user: str = "webhook-service",
        history: int = 10_000,
        routing_delay: float = 0.0,
    ) -> None:
        self._token, self._address = token, (host, port)
        self._store = ObjectStore(history)
        self._catalogue = Catalogue(lambda: definitions.resources(self._store))
        self._connections = PodAnswers(self._store)
        self._api = Api(self._store)
        self._access = Access(user)
        self._requests: deque[Request] = deque(maxlen=history)
        self._simulation = ControllerView(self._store, ready_delay, nodes, routing_delay)
        self._server: _Server | None = None
        for namespace in ("default", "kube-system"):
            self._api.create(ApiPath(NAMESPACES), {"metadata": {"name": namespace}})

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Begins to listen. A cluster starts once."""
        service = Service(
            self._api,
            self._store,
            self._access,
            self._catalogue,
            self._connections,
            self._token,
            self._requests.append,
        )
        handler = type("ClusterHandler", (Handler,), {"service": service})
        self._server = _Server(self._address, handler)
        self._controllers = Controllers(self._simulation, RECONCILERS)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="fake-cluster"
        )
        self._controllers.start()
        self._thread.start()

    def stop(self) -> None:
        """Ends all requests, watches included, and all threads.

        Raises:
            RuntimeError: a simulated controller failed meanwhile; a bug of this double.
        """
        if self._server is None:
            return
        self._store.close()
        self._server.shutdown()
        self._server.disconnect()
        self._server.server_close()
        self._thread.join()
        self._controllers.join()
        self._server = None
        if self._controllers.failures:
            raise RuntimeError("a simulated controller failed") from self._controllers.failures[0]

    @property
    def url(self) -> str:
        """Where it listens: ``http://127.0.0.1:40123``.

        Raises:
            RuntimeError: it has not been started.
        """
        if self._server is None:
            raise RuntimeError("the fake cluster is not running: call start() first")
        host, port = self._server.server_address[:2]
        return f"http://{host if isinstance(host, str) else host.decode()}:{port}"

    @property
    def requests(self) -> list[Request]:
        """The requests so far, oldest first."""
        return list(self._requests)

    def write_kubeconfig(self, path: Path) -> Path:
        """Writes a kubeconfig for this cluster, and returns its path."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
            "users": [{"name": "fake", "user": {"token": self._token} if self._token else {}}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
            "current-context": "fake",
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(config))
        return path

    def apply(self, manifest: Object) -> Object:
        """Creates the object, or merges the manifest into it, as ``kubectl apply`` does.

        A missing namespace is created, and defaults to ``default``.

        Raises:
            KeyError: the fake cluster does not serve this kind.
            ApiError: the object is invalid.
        """
        target = self._target(manifest["kind"], *_names(manifest))
        params = {"fieldManager": "fake-cluster", "force": "true"}
        with self._store.changed:
            if target.namespace and not self._known(target.namespace):
                self._api.create(ApiPath(NAMESPACES), {"metadata": {"name": target.namespace}})
            return clone(self._api.patch(target, patches.APPLY, manifest, params)[0])

    def get(self, kind: str, namespace: str, name: str) -> Object:
        """A copy of an object.

        Raises:
            ApiError: 404, there is none.
        """
        return clone(self._api.get(self._target(kind, namespace, name)))

    def list(self, kind: str, namespace: str = "") -> list[Object]:
        """Copies of the objects of a namespace, or of all namespaces."""
        resource = self._catalogue.of_kind(kind)
        return [clone(item) for item in self._store.all(resource, namespace)]

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Deletes an object and what it owns.

        Raises:
            ApiError: 404, there is none.
        """
        self._api.delete(self._target(kind, namespace, name), {})

    def deny(
        self, verb: str, resource: str, namespace: str | None = None, *, message: str = ""
    ) -> None:
        """Refuses requests with 403, as RBAC does, or admission.

        Args:
            verb: ``get``, ``list``, ``watch``, ``create``, ``update``, ``patch``, ``delete``,
                ``deletecollection``, or ``*``.
            resource: as in a Role: ``deployments``, ``deployments/scale``, or ``*``.
            namespace: only there; without it, everywhere.
            message: the words of an admission plug-in that refuses; reviews of access know
                nothing of it.
        """
        self._access.deny(verb, resource, namespace, message)

    def allow_all(self) -> None:
        """Takes all denials back."""
        self._access.allow_all()

    def mutate(self, change: Callable[[Object], None]) -> None:
        """Says what an admission plug-in makes of objects that are created or changed.

        ``change`` gets each object, with its kind, and changes it in place.
        """
        self._api.mutate = change

    def answer(self, namespace: str, service: str, answer: Answer) -> None:
        """Says what the pods of a Service answer to requests through the Service proxy.

        Without it they refuse connections. ``answer`` gets the request and the pod.
        """
        self._connections.answer(namespace, service, answer)

    def log(self, logs: Logs) -> None:
        """Says what pods log: ``logs`` gets the pod and the name of the container."""
        self._connections.log(logs)

    def trigger(self, namespace: str, cron_job: str) -> Object:
        """Starts a CronJob's Job now; its schedule is never looked at.

        Raises:
            ApiError: 404, there is no such CronJob.
        """
        found = self._api.get(self._target("CronJob", namespace, cron_job))
        return clone(jobs.trigger(self._simulation, found))

    def _target(self, kind: str, namespace: str, name: str) -> ApiPath:
        resource = self._catalogue.of_kind(kind)
        return ApiPath(resource, namespace if resource.namespaced else "", name)

    def _known(self, namespace: str) -> bool:
        return self._store.find(NAMESPACES, "", namespace) is not None


class _Server(ThreadingHTTPServer):
    """Keeps its connections, to end those that clients hold open."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[Handler]) -> None:
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def disconnect(self) -> None:
        """Ends the connections; their threads close the sockets."""
        with self._guard:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that goes away in the middle of a request is no news."""


def _names(manifest: Object) -> tuple[str, str]:
    metadata = manifest["metadata"]
    return metadata.get("namespace", "default"), metadata["name"]
