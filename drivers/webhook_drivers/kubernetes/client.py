"""Talks to clusters: the only importer of the official Kubernetes client.

The client reads kubeconfigs, refreshes credentials and does TLS and proxies. Calls go through its
connection pool with plain JSON, because its generated methods read answers without a limit.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from webhook_drivers.kubernetes.faults import cut, failure
from webhook_drivers.kubernetes.resources import EVENTS, Address, Json, Resource
from webhook_service import DriverError, Retry

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration
    from urllib3 import BaseHTTPResponse

NAME = "webhook-service"
CONNECT_TIMEOUT = 5.0
TIMEOUT = 30.0
EVENT_TIMEOUT = 3.0
MAX_REPLY = 10 * 1024 * 1024
CHUNK = 64 * 1024
POOL_SIZE = 32
STRATEGIC_MERGE = "application/strategic-merge-patch+json"
TOKEN_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/token"
REVIEWS = Resource("SelfSubjectAccessReview", "authorization.k8s.io", "v1", "")
REVIEWS_PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class Cluster:
    """A handful of verbs on one cluster's API; used by many threads at once.

    Every method raises ``Retry`` for what may pass (timeouts, 429, 5xx), ``Conflict`` for 409 and
    ``DriverError`` for the rest; no exception of the client or of urllib3 leaves.

    Attributes:
        refused: whether its credentials were refused; they may be newer in the kubeconfig by now.
    """

    def __init__(
        self,
        api: ApiClient,
        name: str,
        connect_timeout: float = CONNECT_TIMEOUT,
        timeout: float = TIMEOUT,
    ) -> None:
        self.name = name
        self.refused = False
        self._api = api
        self._connect_timeout = connect_timeout
        self._timeout = timeout

    def get(self, address: Address) -> Json:
        return self._call("get", address, "GET", address.path)

    def patch(self, address: Address, patch: Json, *, dry_run: bool = False) -> Json:
        """Apply a strategic merge patch; a dry run is checked by the server and not stored."""
        query = {"fieldManager": NAME, **({"dryRun": "All"} if dry_run else {})}
        path = f"{address.path}?{urlencode(query)}"
        return self._call("patch", address, "PATCH", path, patch)

    def create_event(self, namespace: str, event: Json) -> None:
        """Create a core/v1 Event; slow clusters are not waited for."""
        address = Address(EVENTS, namespace, str(event["metadata"]["name"]))
        path = EVENTS.path(namespace)
        self._call("create", address, "POST", path, event, min(EVENT_TIMEOUT, self._timeout))

    def may(self, verb: str, address: Address) -> bool:
        """Ask the cluster whether we may do this; True if it does not let us ask."""
        resource = address.resource
        attributes = {
            "verb": verb,
            "group": resource.group,
            "resource": resource.plural,
            "namespace": address.namespace,
            "name": address.name,
        }
        review = {
            "apiVersion": REVIEWS.api_version,
            "kind": REVIEWS.kind,
            "spec": {"resourceAttributes": attributes},
        }
        try:
            answer = self._call("review access to", address, "POST", REVIEWS_PATH, review)
        except DriverError as error:
            if error.reason == "forbidden":
                return True
            raise
        return bool((answer.get("status") or {}).get("allowed"))

    def close(self) -> None:
        close: Callable[[], None] = self._api.close
        close()

    def _call(
        self,
        verb: str,
        address: Address,
        method: str,
        path: str,
        body: Json | None = None,
        timeout: float | None = None,
    ) -> Json:
        try:
            status, headers, data = self._exchange(method, path, body, timeout or self._timeout)
        except _UnusableReply as error:
            raise Retry(f"The answer of cluster {self.name} is no use: {error}.") from error
        except Exception as error:  # the client, its credential plug-ins, urllib3, sockets
            text = f"{type(error).__name__}: {cut(error)}"
            message = f"The API of cluster {self.name} does not answer ({text})."
            raise Retry(message, code="unreachable") from error
        if status == 401:
            self.refused = True
        if not 200 <= status < 300:
            raise failure(verb, address, status, headers, data)
        return self._object(data)

    def _exchange(
        self, method: str, path: str, body: Json | None, timeout: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        from urllib3 import Timeout

        deadline = monotonic() + timeout
        configuration = self._api.configuration
        response = self._api.rest_client.pool_manager.urlopen(
            method,
            configuration.host + path,
            body=None if body is None else json.dumps(body).encode(),
            headers=self._headers(method),
            timeout=Timeout(connect=self._connect_timeout, total=timeout),
            # Retries are the engine's; a redirect would carry our token to another host.
            retries=False,
            redirect=False,
            preload_content=False,
        )
        try:
            return response.status, response.headers, _read(response, deadline)
        except BaseException:
            response.close()
            raise
        finally:
            response.release_conn()

    def _headers(self, method: str) -> dict[str, str]:
        content_type = STRATEGIC_MERGE if method == "PATCH" else "application/json"
        headers = {"User-Agent": NAME, "Accept": "application/json", "Content-Type": content_type}
        # This renews expired credentials.
        for setting in self._api.configuration.auth_settings().values():
            if setting.get("in") == "header" and setting.get("value"):
                headers[str(setting["key"])] = str(setting["value"])
        return headers

    def _object(self, data: bytes) -> Json:
        try:
            answer = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise Retry(f"The answer of cluster {self.name} is not JSON.") from error
        if not isinstance(answer, dict):
            raise Retry(f"The answer of cluster {self.name} is not an object.")
        return answer


class Clusters:
    """The clusters of one process: one connection pool per kubeconfig context, made when used.

    Args:
        options: ``kubeconfig`` (a path) and ``kube_context``; without them the cluster that this
            process runs in, else the default kubeconfig.
    """

    def __init__(
        self,
        options: Mapping[str, str],
        connect_timeout: float = CONNECT_TIMEOUT,
        timeout: float = TIMEOUT,
    ) -> None:
        self._options = options
        self._timeouts = (connect_timeout, timeout)
        self._clusters: dict[str, Cluster] = {}
        self._lock = Lock()

    def get(self, name: str | None = None) -> Cluster:
        """The cluster of a context; without a name the one that the options say.

        Raises:
            DriverError: the client is not installed, or no such cluster is configured.
        """
        context = name or self._options.get("kube_context") or ""
        with self._lock:
            known = self._clusters.get(context)
            if known and not known.refused:
                return known
            self._clusters[context] = self._connect(context)
            if known:
                known.close()
            return self._clusters[context]

    def close(self) -> None:
        with self._lock:
            for cluster in self._clusters.values():
                cluster.close()
            self._clusters.clear()

    def _connect(self, context: str) -> Cluster:
        try:
            from kubernetes.client import ApiClient, Configuration
        except ImportError as error:
            raise DriverError(
                "The Kubernetes client is not installed: "
                "run pip install 'webhook-service[kubernetes]'.",
                code="client_missing",
            ) from error
        configuration = Configuration()
        self._load(configuration, context)
        configuration.connection_pool_maxsize = POOL_SIZE
        # Said, not derived: renewing credentials sets the host again on every call, which would
        # look through the whole environment for proxies each time.
        configuration.proxy = configuration.proxy
        return Cluster(ApiClient(configuration), context or "default", *self._timeouts)

    def _load(self, configuration: Configuration, context: str) -> None:
        from kubernetes import config

        # The package's loaders carry no types.
        loaders: Any = config
        path = self._options.get("kubeconfig")
        try:
            if not path and not context and _in_pod():
                loaders.load_incluster_config(client_configuration=configuration)
                return
            loaders.load_kube_config(
                config_file=path,
                context=context or None,
                client_configuration=configuration,
                persist_config=False,
            )
        except Exception as error:
            where = f"context {context!r}" if context else "cluster"
            known = isinstance(error, loaders.ConfigException)
            # The message of a YAML error quotes the file, which holds credentials.
            why = cut(error) if known else type(error).__name__
            message = f"No {where} can be used from {path or 'the default kubeconfig'}: {why}"
            raise DriverError(message, code="cluster_unknown") from error


class _UnusableReply(Exception):
    pass


def _read(response: BaseHTTPResponse, deadline: float) -> bytes:
    """Read a whole reply, but no more than ``MAX_REPLY``, and no longer than the deadline."""
    data = bytearray()
    while chunk := response.read1(CHUNK, decode_content=False):
        data += chunk
        if len(data) > MAX_REPLY:
            raise _UnusableReply(f"it is larger than {MAX_REPLY} bytes")
        if monotonic() > deadline:
            raise _UnusableReply("it came too slowly")
    return bytes(data)


def _in_pod() -> bool:
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and os.path.isfile(TOKEN_FILE)
