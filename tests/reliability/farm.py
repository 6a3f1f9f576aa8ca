"""Deployments in a fake cluster, and every change of their images, seen through a watch."""

import json
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any, Self

import httpx

from webhook_service.testing import FakeCluster

NAMESPACE = "farm"
REPOSITORY = "acme/shop"
FIRST = f"docker.io/{REPOSITORY}:0"


class Farm:
    """Use as a context manager.

    Attributes:
        history: the images of each Deployment, in the order in which they were set.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.names = [f"shop-{number}" for number in range(size)]
        self.history: dict[str, list[str]] = defaultdict(list)
        self.cluster = FakeCluster(ready_delay=0.01, history=200_000)
        self._folder = folder
        self._client = httpx.Client(timeout=None)
        self._watching = threading.Thread(target=self._watch, name="farm-watch")

    def __enter__(self) -> Self:
        self.cluster.start()
        self.kubeconfig = self.cluster.write_kubeconfig(self._folder / "farm.kubeconfig")
        for name in self.names:
            self.cluster.apply(_deployment(name))
        self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cluster.stop()
        self._watching.join()
        self._client.close()

    def image(self, name: str) -> str:
        return _image(self.cluster.get("Deployment", NAMESPACE, name))

    def _watch(self) -> None:
        config = json.loads(self.kubeconfig.read_text())
        headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
        url = f"{self.cluster.url}/apis/apps/v1/namespaces/{NAMESPACE}/deployments?watch=true"
        try:
            with self._client.stream("GET", url, headers=headers) as answer:
                for line in answer.iter_lines():
                    self._see(json.loads(line)["object"])
        except httpx.HTTPError:
            return  # the cluster was stopped

    def _see(self, obj: dict[str, Any]) -> None:
        seen = self.history[obj["metadata"]["name"]]
        image = _image(obj)
        if not seen or seen[-1] != image:
            seen.append(image)


def _image(obj: dict[str, Any]) -> str:
    image: str = obj["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


def _deployment(name: str) -> dict[str, Any]:
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "shop", "image": FIRST}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }
