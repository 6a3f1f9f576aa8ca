"""The demonstration's own look at a cluster, through the official client.

It shares no code with the drivers: it is the witness of what they did.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webhook_service.demo.scenario import NAME, NAMESPACE, Scenario, deployment, namespace
from webhook_service.errors import DriverError, fault_of
from webhook_service.images import parse_image

TIMEOUT = 10.0
Images = Mapping[str, str]


@dataclass(frozen=True)
class Pod:
    """A pod of the Deployment that is not on its way out; images by container."""

    images: Images
    ready: bool


@dataclass(frozen=True)
class Snapshot:
    """The Deployment at one moment; images by container, as its template has them."""

    replicas: int
    images: Images
    pods: tuple[Pod, ...]

    def container_of(self, repository: str) -> str | None:
        """The container that runs an image of this repository."""
        wanted = parse_image(repository).name
        names = (name for name, image in self.images.items() if parse_image(image).name == wanted)
        return next(names, None)

    def all_run(self, image: str) -> bool:
        """Whether every pod is ready and runs the image, whatever digest it is pinned to."""
        wanted = parse_image(image).at(parse_image(image).tag)
        good = [pod for pod in self.pods if pod.ready and wanted in _without_digests(pod.images)]
        return len(good) == len(self.pods) == self.replicas


class DemoCluster:
    """One cluster. Every method raises DriverError if it does not answer as it should."""

    def __init__(self, kubeconfig: Path, context: str | None = None) -> None:
        try:
            from kubernetes import client, config
        except ImportError as exc:
            raise DriverError(
                "The Kubernetes client is not installed: pip install 'webhook-service[kubernetes]'."
            ) from exc
        # The package's loaders carry no types.
        loaders: Any = config
        try:
            self._api = loaders.new_client_from_config(
                str(kubeconfig), context, persist_config=False
            )
        except Exception as exc:
            # Other errors, such as YAML's, quote the file, which holds credentials.
            known = isinstance(exc, loaders.ConfigException)
            why = str(exc) if known else type(exc).__name__
            raise DriverError(f"{kubeconfig} cannot be used: {why}") from exc
        self._apps, self._core = client.AppsV1Api(self._api), client.CoreV1Api(self._api)

    def close(self) -> None:
        self._api.close()

    def prepare(self, scenario: Scenario) -> tuple[str, ...]:
        """Create what is missing, and say what that was."""
        made = []
        if not self._exists(self._core.read_namespace, NAMESPACE):
            _call(self._core.create_namespace, namespace())
            made.append(f"namespace {NAMESPACE}")
        if not self._exists(self._apps.read_namespaced_deployment, NAME, NAMESPACE):
            _call(self._apps.create_namespaced_deployment, NAMESPACE, deployment(scenario))
            made.append(f"deployment {NAME}")
        return tuple(made)

    def look(self) -> Snapshot:
        """Read the Deployment and its pods."""
        found = _call(self._apps.read_namespaced_deployment, NAME, NAMESPACE)
        labels = found["spec"]["selector"]["matchLabels"]
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        pods = _call(self._core.list_namespaced_pod, NAMESPACE, label_selector=selector)
        return Snapshot(
            found["spec"].get("replicas", 1),
            _images(found["spec"]["template"]["spec"]),
            tuple(_pod(item) for item in pods["items"] if _stays(item)),
        )

    def _exists(self, read: Any, *names: str) -> bool:
        try:
            _call(read, *names)
        except _Missing:
            return False
        return True


@contextmanager
def open_cluster(kubeconfig: Path, context: str | None) -> Iterator[DemoCluster]:
    cluster = DemoCluster(kubeconfig, context)
    try:
        yield cluster
    finally:
        cluster.close()


class _Missing(DriverError):
    pass


def _call(method: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
    from kubernetes.client.exceptions import ApiException

    try:
        reply = method(*args, **kwargs, _preload_content=False, _request_timeout=TIMEOUT)
        answer: dict[str, Any] = json.loads(reply.data)
        return answer
    except ApiException as exc:
        error = _Missing if exc.status == 404 else DriverError
        raise error(f"The cluster answers {exc.status} {exc.reason}.") from exc
    except Exception as exc:  # urllib3, TLS, credential plug-ins
        raise DriverError(f"The cluster does not answer: {fault_of(exc)}.") from exc


def _images(spec: Mapping[str, Any]) -> Images:
    return {item["name"]: item["image"] for item in spec["containers"]}


def _without_digests(images: Images) -> list[object]:
    parsed = [parse_image(image) for image in images.values()]
    return [image.at(image.tag) for image in parsed]


def _pod(item: Mapping[str, Any]) -> Pod:
    conditions = item.get("status", {}).get("conditions") or []
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return Pod(_images(item["spec"]), ready)


def _stays(item: Mapping[str, Any]) -> bool:
    return not item["metadata"].get("deletionTimestamp")
