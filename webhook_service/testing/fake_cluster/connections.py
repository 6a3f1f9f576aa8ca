"""What leads out of the API: the proxy to Services, and the logs of pods.

A test says what the pods answer; without that they refuse connections and log nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import SystemRandom
from typing import TypeAlias

from webhook_service.testing.fake_cluster.api.statuses import ApiError, bad_request, not_found
from webhook_service.testing.fake_cluster.objects.objects import ObjectStore, clone
from webhook_service.testing.fake_cluster.objects.resources import ENDPOINTS, PODS, SERVICES, Object


@dataclass(frozen=True, slots=True)
class Ask:
    """An HTTP request that reaches a pod. Header names are lower case."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a pod answers."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Answer: TypeAlias = Callable[[Ask, Object], Reply]
"""What a pod answers to a request; it gets the pod too."""
Logs: TypeAlias = Callable[[Object, str], str]
"""The log of a pod's container, by its name."""


class PodAnswers:
    """What the pods of one cluster answer and log."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._answers: dict[tuple[str, str], Answer] = {}
        self._logs: Logs = lambda pod, container: ""

    def answer(self, namespace: str, service: str, answer: Answer) -> None:
        self._answers |= {(namespace, service): answer}

    def log(self, logs: Logs) -> None:
        self._logs = logs

    def ask(self, namespace: str, identifier: str, ask: Ask) -> Reply:
        """Passes a request on to a ready pod of ``[scheme:]name[:port]``.

        Raises:
            ApiError: 400, 404 or 503, there is none.
        """
        name, port = _parted(identifier)
        pod = self._pod(namespace, identifier, name, self._port_name(namespace, name, port))
        answer = self._answers.get((namespace, name))
        if answer is None:
            where = pod["status"]["podIP"]
            message = (
                f"error trying to reach service: dial tcp {where}: connect: connection refused"
            )
            raise ApiError(500, "", message)
        return answer(ask, clone(pod))

    def logged(self, namespace: str, name: str, params: Mapping[str, str]) -> str:
        """A container's log.

        Raises:
            ApiError: 400 or 404, there is no such log.
        """
        pod = self._store.find(PODS, namespace, name)
        if pod is None:
            raise not_found(PODS, name)
        container = _container(pod, params.get("container", ""))
        if (pod.get("status") or {}).get("phase", "Pending") == "Pending":
            message = f'container "{container}" in pod "{name}" is waiting to start: '
            raise bad_request(message + "ContainerCreating")
        text = self._logs(clone(pod), container)
        if "tailLines" in params:
            text = "".join(text.splitlines(True)[-int(params["tailLines"]) :])
        return text[: int(params["limitBytes"])] if "limitBytes" in params else text

    def _port_name(self, namespace: str, name: str, port: str) -> str:
        service = self._store.find(SERVICES, namespace, name)
        if service is None:
            raise not_found(SERVICES, name)
        if not port.isdigit():
            return port
        for item in service["spec"].get("ports") or ():
            if item["port"] == int(port):
                return str(item.get("name", ""))
        raise unavailable(f'no service port {port} found for service "{name}"')

    def _pod(self, namespace: str, identifier: str, name: str, port: str) -> Object:
        endpoints = self._store.find(ENDPOINTS, namespace, name)
        if endpoints is None:
            raise not_found(ENDPOINTS, name)
        if not endpoints.get("subsets"):
            raise unavailable(f'no endpoints available for service "{name}"')
        names = [
            address["targetRef"]["name"]
            for subset in endpoints["subsets"]
            for address in subset.get("addresses", ())
            if port in [item.get("name", "") for item in subset.get("ports", ())]
        ]
        pods = [pod for each in names if (pod := self._store.find(PODS, namespace, each))]
        if not pods:
            raise unavailable(f'no endpoints available for service "{identifier}"')
        return SystemRandom().choice(pods)


def unavailable(message: str) -> ApiError:
    return ApiError(503, "ServiceUnavailable", message)


def _parted(identifier: str) -> tuple[str, str]:
    """Name and port of ``[scheme:]name[:port]``."""
    scheme, name, port = _three(identifier.split(":"))
    if scheme not in ("http", "https", "") or not name or ":" in port:
        raise bad_request(f'invalid service request "{identifier}"')
    return name, port


def _three(parts: list[str]) -> tuple[str, str, str]:
    if len(parts) > 2:
        return parts[0], parts[1], ":".join(parts[2:])
    return "", parts[0], parts[1] if len(parts) == 2 else ""


def _container(pod: Object, wanted: str) -> str:
    """The container to read: the one that is asked for, or the only one."""
    name, spec = pod["metadata"]["name"], pod["spec"]
    known = [item["name"] for item in spec["containers"]]
    started = [item["name"] for item in spec.get("initContainers") or ()]
    if wanted in (*known, *started):
        return wanted
    if wanted:
        raise bad_request(f"container {wanted} is not valid for pod {name}")
    if len(known) == 1 and not started:
        return str(known[0])
    message = f"a container name must be specified for pod {name}, choose one of: "
    message += f"[{' '.join(known)}]"
    if started:
        message += f" or one of the init containers: [{' '.join(started)}]"
    raise bad_request(message)
