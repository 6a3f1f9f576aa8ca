"""The operator as its users run it: a process of its own, and Receivers on a real API server."""

import json
import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from tests.e2e.host import PROGRAM
from tests.servers.api import Api, ApiError
from tests.servers.control_plane import ControlPlane
from tests.servers.process import Process
from tests.support import SECRET, sqlite_url, wait_for
from webhook_service import Settings, WebhookService
from webhook_service.settings import load_settings

PATIENCE = 120.0
BASE_URL = "https://hooks.example.com"
Json = dict[str, Any]


def deploy(api: Api, namespace: str, name: str = "shop") -> None:
    containers = [{"name": "shop", "image": "registry.invalid/acme/shop:1.0.0"}]
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template}
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    api.post(path, {"metadata": {"name": name}, "spec": spec})


def spec(**fields: Any) -> Json:
    """What a Receiver of the Deployment ``shop`` says, but for some fields."""
    said = {
        "driver": "deploymentUpdate",
        "deploymentUpdateConfig": {"name": "shop"},
        "match": {"repositories": ["registry.invalid/acme/shop"]},
        "verify": {"scheme": "none"},
    }
    return {**said, **fields}


class Operator:
    """Some processes of it on one database. Use as a context manager; none is started by that."""

    def __init__(
        self, folder: Path, plane: ControlPlane, namespace: str, kubeconfig: Path, replicas: int = 1
    ) -> None:
        self.api, self.namespace = plane.api, namespace
        grants = {namespace: [f"default/{namespace}"]}
        env = {
            "DATABASE_URL": sqlite_url(folder),
            "SECRET_KEY": SECRET,
            "KUBECONFIG": str(kubeconfig),
            "NAMESPACES": json.dumps(grants),
            "BASE_URL": BASE_URL,
            "LOG_LEVEL": "debug",
        }
        self.env = os.environ | {f"WEBHOOK_SERVICE_{name}": value for name, value in env.items()}
        self.settings: Settings = load_settings(
            database_url=env["DATABASE_URL"],
            secret_key=SECRET,
            kubeconfig=kubeconfig,
            namespaces=grants,
        )
        self.processes = [
            Process(
                [PROGRAM, "operator", "run", "--interval", "1"],
                folder,
                name=f"operator-{number}",
                env=self.env,
            )
            for number in range(replicas)
        ]
        self._path = f"/apis/webhook-service.io/v1alpha1/namespaces/{namespace}/receivers"
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.service = stack.enter_context(WebhookService.open(self.settings, run=False))
            for process in self.processes:
                stack.callback(process.stop)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def start(self) -> None:
        for process in self.processes:
            process.start(lambda process=process: process.running)  # type: ignore[misc]

    def kill(self) -> None:
        for process in self.processes:
            process.stop(signal.SIGKILL)

    def create(self, name: str = "shop", **fields: Any) -> Json:
        body = {
            "apiVersion": "webhook-service.io/v1alpha1",
            "kind": "Receiver",
            "metadata": {"name": name},
            "spec": spec(**fields),
        }
        return self.api.post(self._path, body)

    def get(self, name: str = "shop") -> Json:
        return self.api.get(f"{self._path}/{name}")

    def change(self, said: Json, name: str = "shop") -> Json:
        return self.api.patch(f"{self._path}/{name}", {"spec": said})

    def delete(self, name: str = "shop") -> None:
        self.api.delete(f"{self._path}/{name}")

    def is_gone(self, name: str = "shop") -> bool:
        try:
            self.get(name)
        except ApiError as error:
            return error.status == 404
        return False

    def condition(self, type: str, name: str = "shop") -> Json:
        """A condition of the newest generation, or nothing."""
        found = self.get(name)
        conditions = {each["type"]: each for each in found.get("status", {}).get("conditions", ())}
        of_now = found["metadata"]["generation"]
        condition: Json = conditions.get(type, {})
        return condition if condition.get("observedGeneration") == of_now else {}

    def wait_for(self, type: str, status: str, name: str = "shop") -> Json:
        """Wait until a condition has a status; gives it."""

        def there() -> Json | None:
            found = self.condition(type, name)
            return found if found.get("status") == status else None

        return self.wait(there)

    def wait(self, there: Callable[[], Any]) -> Any:
        logs = [process.log for process in self.processes]
        try:
            return wait_for(there, PATIENCE)
        except AssertionError as error:
            told = "\n".join(log.read_text()[-3000:] for log in logs if log.exists())
            raise AssertionError(f"{error}\n{told}") from error

    def put_secret(self, name: str, **data: str) -> None:
        path = f"/api/v1/namespaces/{self.namespace}/secrets"
        self.api.post(path, {"metadata": {"name": name}, "stringData": data})

    def secret(self, name: str) -> Json:
        return self.api.get(f"/api/v1/namespaces/{self.namespace}/secrets/{name}")

    def receivers(self) -> Json:
        page = self.service.list_receivers(self.namespace)
        return {each.name: each for each in page.items}
