"""A stand-in for scheduler and kubelets: pods of a real API server get a node and become ready."""

from datetime import UTC, datetime
from itertools import count
from threading import Event, Lock, Thread

from tests.servers.agenda import Agenda
from tests.servers.api import UNREACHABLE, Api, ApiError, Json, Watch
from tests.servers.pods import Pod, Step, next_step, status, wanted_node

PODS = "/api/v1/pods"
ADDRESS = "tests/pod-ip"
"""An annotation of a pod that says its address, where a test listens there."""


class Kubelet:
    """Watches all pods; `delay` is the time in seconds from a pod's binding to its being ready.

    A pod with an image whose tag contains `bad` never becomes ready (ImagePullBackOff); pods that
    are not to be restarted, as those of Jobs, succeed at once; deleted pods are gone at once.
    """

    def __init__(self, api: Api, nodes: int = 3, delay: float = 0.0, workers: int = 4) -> None:
        self.delay = delay
        self.nodes = [f"node-{number}" for number in range(1, nodes + 1)]
        self._api = api
        self._agenda: Agenda[tuple[Step, Pod]] = Agenda()
        self._planned: set[tuple[Step, str]] = set()
        self._numbers = count(1)
        self._lock = Lock()
        self._stopped = Event()
        self._watch: Watch | None = None
        targets = [self._follow_pods] + [self._work] * workers
        self._threads = [Thread(target=target, name="kubelet") for target in targets]

    def start(self) -> None:
        for name in self.nodes:
            register_node(self._api, name)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._agenda.close()
        with self._lock:
            if self._watch:
                self._watch.stop()
        for thread in self._threads:
            if thread.ident:
                thread.join(10)

    def _follow_pods(self) -> None:
        while not self._stopped.is_set():
            try:
                self._list_and_watch()
            except (*UNREACHABLE, ApiError):
                self._stopped.wait(0.1)

    def _list_and_watch(self) -> None:
        pods = self._api.get(PODS)
        for pod in pods["items"]:
            self._plan(pod)
        watch = self._api.watch(PODS, pods["metadata"]["resourceVersion"])
        with self._lock:
            self._watch = watch
        if self._stopped.is_set():
            watch.stop()
        for event in watch:
            if event["type"] == "ERROR":  # too old a version: list again
                return
            if event["type"] != "DELETED":
                self._plan(event["object"])

    def _plan(self, pod: Pod, delay: float = 0) -> None:
        step = next_step(pod)
        if step is None:
            return
        key = (step, pod["metadata"]["uid"])
        with self._lock:
            if key in self._planned:
                return
            self._planned.add(key)
        self._agenda.add((step, pod), delay or (self.delay if step == "report" else 0))

    def _work(self) -> None:
        while (task := self._agenda.take()) is not None:
            step, pod = task
            again = False
            try:
                self._do(step, pod)
            except ApiError as error:
                again = error.status in (429, 500, 503, 504)  # else the pod has changed or gone
            except UNREACHABLE:
                again = True
            with self._lock:
                self._planned.discard((step, pod["metadata"]["uid"]))
            if again:
                self._plan(pod, delay=0.2)

    def _do(self, step: Step, pod: Pod) -> None:
        meta = pod["metadata"]
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        if step == "bind":
            self._api.post(f"{path}/binding", self._binding(pod))
        elif step == "report":
            self._report(path, pod)
        else:  # the uid spares a StatefulSet's new pod of the same name
            self._api.delete(path, {"gracePeriodSeconds": 0, "preconditions": {"uid": meta["uid"]}})

    def _report(self, path: str, pod: Pod) -> None:
        number = next(self._numbers)
        address = f"10.{244 + number // 65536 % 8}.{number // 256 % 256}.{number % 256}"
        address = (pod["metadata"].get("annotations") or {}).get(ADDRESS) or address
        body = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": status(pod, address)}
        written = self._api.patch(f"{path}/status", body)
        with self._lock:
            self._planned.discard(("report", pod["metadata"]["uid"]))
        self._plan(written)  # the image may have changed in the meantime

    def _binding(self, pod: Pod) -> Json:
        node = wanted_node(pod) or self.nodes[next(self._numbers) % len(self.nodes)]
        meta = {key: pod["metadata"][key] for key in ("name", "namespace", "uid")}
        target = {"apiVersion": "v1", "kind": "Node", "name": node}
        return {"apiVersion": "v1", "kind": "Binding", "metadata": meta, "target": target}


def register_node(api: Api, name: str) -> None:
    room = {"cpu": "64", "memory": "256Gi", "pods": "1000", "ephemeral-storage": "1Ti"}
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    times = {"lastHeartbeatTime": now, "lastTransitionTime": now}
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "status": {"capacity": room, "allocatable": room, "conditions": [ready | times]},
    }
    api.post("/api/v1/nodes", node)
    # The API server taints every new node as not ready; normally the node controller lifts that.
    api.patch(f"/api/v1/nodes/{name}", {"spec": {"taints": None}})
