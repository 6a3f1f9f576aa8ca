"""Plays the kubelet: pods become ready, finish or stay broken; and the Endpoints of Services."""

from __future__ import annotations

from time import monotonic

from webhook_service.testing.fake_cluster.controllers.controller import ControllerView, selects
from webhook_service.testing.fake_cluster.objects.defaults import tag_of
from webhook_service.testing.fake_cluster.objects.objects import controller_of, timestamp
from webhook_service.testing.fake_cluster.objects.resources import (
    ENDPOINTS,
    ENDPOINTSLICES,
    PODS,
    Object,
)


def is_broken(pod: Object) -> bool:
    """Whether a container's image can not be pulled: its tag contains ``bad``."""
    return any("bad" in tag_of(container["image"]) for container in pod["spec"]["containers"])


def is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase", "Pending"))


def reconcile_pod(view: ControllerView, pod: Object) -> float | None:
    """Starts a new pod, and brings it up when its time has come."""
    uid = pod["metadata"]["uid"]
    if uid not in view.created:
        view.created[uid] = monotonic()
        _write(view, pod, "Pending", _waiting(pod, "ContainerCreating"))
        return view.ready_delay
    if phase(pod) != "Pending":
        return None
    left = view.created[uid] + view.ready_delay - monotonic()
    if left > 0:
        return left
    _settle(view, pod)
    return None


def _settle(view: ControllerView, pod: Object) -> None:
    owner = controller_of(pod)
    runs_once = owner is not None and owner["kind"] == "Job"
    if is_broken(pod) and not runs_once:
        _write(view, pod, "Pending", _waiting(pod, "ImagePullBackOff"))
    elif runs_once:
        failed = is_broken(pod)
        ended = {"exitCode": int(failed), "reason": "Error" if failed else "Completed"}
        _write(view, pod, "Failed" if failed else "Succeeded", {"terminated": ended})
    else:
        view.ready[pod["metadata"]["uid"]] = monotonic()
        _write(view, pod, "Running", {"running": {"startedAt": timestamp()}})


def _waiting(pod: Object, reason: str) -> Object:
    image = pod["spec"]["containers"][0]["image"]
    pulling = reason == "ImagePullBackOff"
    message = {"message": f'Back-off pulling image "{image}"'} if pulling else {}
    return {"waiting": {"reason": reason, **message}}


def _write(view: ControllerView, pod: Object, phase: str, state: Object) -> None:
    ready = phase == "Running"
    broken = any("bad" in tag_of(container["image"]) for container in pod["spec"]["containers"])
    statuses = []
    for container in pod["spec"]["containers"]:
        pullable = "bad" not in tag_of(container["image"])
        # Only the image that can not be pulled keeps its pod from starting.
        own = {"waiting": {"reason": "ContainerCreating"}} if broken and pullable else state
        identity = {"name": container["name"], "image": container["image"], "imageID": ""}
        statuses.append(
            {**identity, "ready": ready, "started": ready, "restartCount": 0, "state": own}
        )
    verdict = "True" if ready else "False"
    reason = {} if ready else {"reason": "ContainersNotReady"}
    now = timestamp()
    placed = {"type": "PodScheduled", "status": "True", "lastTransitionTime": now}
    conditions = [placed] + [
        {"type": kind, "status": verdict, "lastTransitionTime": now, **reason}
        for kind in ("ContainersReady", "Ready")
    ]
    status = {**(pod.get("status") or {}), "phase": phase, "conditions": conditions}
    status |= {"containerStatuses": statuses}
    status.setdefault("startTime", now)
    view.store.update(PODS, {**pod, "status": status})


def reconcile_service(view: ControllerView, service: Object) -> float | None:
    """Keeps the Endpoints of a Service with a selector, some time after each change."""
    if not service["spec"].get("selector"):
        return None
    metadata = service["metadata"]
    due = view.routed.setdefault(metadata["uid"], monotonic() + view.routing_delay)
    if (left := due - monotonic()) > 0:
        return left
    del view.routed[metadata["uid"]]
    found = view.store.find(ENDPOINTS, metadata["namespace"], metadata["name"])
    subsets = _subsets(view, service)
    if found is None:
        endpoints: Object = {"metadata": {"name": metadata["name"]}}
        view.create(ENDPOINTS, service, endpoints | ({"subsets": subsets}))
    else:
        view.store.update(ENDPOINTS, {**found, "subsets": subsets})
    _write_slice(view, service, subsets)
    return None


def _write_slice(view: ControllerView, service: Object, subsets: list[Object]) -> None:
    """The same as an EndpointSlice."""
    metadata = service["metadata"]
    name = f"{metadata['name']}-{metadata['uid'][:5]}"
    endpoints = [
        {
            "addresses": [address["ip"]],
            "conditions": {"ready": ready, "serving": ready, "terminating": False},
            "targetRef": address["targetRef"],
            "nodeName": address["nodeName"],
        }
        for subset in subsets
        for side, ready in (("addresses", True), ("notReadyAddresses", False))
        for address in subset.get(side, ())
    ]
    ports = [port for subset in subsets for port in subset.get("ports", ())]
    body: Object = {"addressType": "IPv4", "endpoints": endpoints, "ports": ports}
    found = view.store.find(ENDPOINTSLICES, metadata["namespace"], name)
    if found is None:
        labels = {"kubernetes.io/service-name": metadata["name"]}
        view.create(ENDPOINTSLICES, service, {"metadata": {"name": name, "labels": labels}, **body})
    else:
        view.store.update(ENDPOINTSLICES, {**found, **body})


def _subsets(view: ControllerView, service: Object) -> list[Object]:
    namespace = service["metadata"]["namespace"]
    pods = [
        pod
        for pod in view.store.all(PODS, namespace)
        if selects(service, pod) and phase(pod) in ("Pending", "Running")
    ]
    sides = {
        "addresses": [_address(pod) for pod in pods if is_ready(pod)],
        "notReadyAddresses": [_address(pod) for pod in pods if not is_ready(pod)],
    }
    subset: Object = {key: addresses for key, addresses in sides.items() if addresses}
    ports = [_port(port) for port in service["spec"].get("ports") or ()]
    return [subset | ({"ports": ports} if ports else {})] if subset else []


def _address(pod: Object) -> Object:
    metadata = pod["metadata"]
    target = {"kind": "Pod", "namespace": metadata["namespace"], "name": metadata["name"]}
    target["uid"] = metadata["uid"]
    address = {"ip": (pod.get("status") or {}).get("podIP", ""), "targetRef": target}
    return address | {"nodeName": pod["spec"].get("nodeName", "")}


def _port(port: Object) -> Object:
    target = port["targetPort"] if isinstance(port["targetPort"], int) else port["port"]
    named = {"name": port["name"]} if port.get("name") else {}
    return named | {"port": target, "protocol": port["protocol"]}
