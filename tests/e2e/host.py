"""The service as its users run it: ``webhook-service serve`` in a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx

from tests.servers.process import Process, free_port
from tests.support import PROJECT, wait_for

ENDED = {"succeeded", "unchanged", "failed", "superseded", "cancelled"}
PROGRAM = str(Path(sys.executable).with_name("webhook-service"))


class Host:
    """Use as a context manager; its database stays over ``kill`` and ``start``."""

    def __init__(
        self,
        folder: Path,
        kubeconfig: Path,
        settings: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        program: str = PROGRAM,
    ) -> None:
        self._program = program
        self.url = f"http://127.0.0.1:{free_port()}"
        self._env = os.environ | {
            "WEBHOOK_SERVICE_DATABASE_URL": f"sqlite:///{folder / 'service.db'}",
            "WEBHOOK_SERVICE_LISTEN": self.url.removeprefix("http://"),
            "WEBHOOK_SERVICE_KUBECONFIG": str(kubeconfig),
            "WEBHOOK_SERVICE_LEASE_SECONDS": "1",
            "WEBHOOK_SERVICE_ADDRESS_RATE": "0",
            "WEBHOOK_SERVICE_RECEIVER_RATE": "0",
            **{f"WEBHOOK_SERVICE_{name}": value for name, value in (settings or {}).items()},
            **(env or {}),
        }
        self._folder = folder
        self.process = self._process({})
        self.api = httpx.Client(base_url=f"{self.url}/v1-webhooks", timeout=30)

    def __enter__(self) -> Self:
        made = self.command("token", "create", "--project", PROJECT, "--role", "owner")
        self.api.headers["Authorization"] = f"Bearer {made['token']}"
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.api.close()
        self.process.stop()

    def command(self, *words: str) -> Any:
        """Run the command line on the host's database; gives what it prints as JSON."""
        done = subprocess.run(
            [self._program, *words, "--output", "json"],
            env=self._env,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def start(self, env: Mapping[str, str] | None = None) -> None:
        """Start it, this time with more in its environment if that is given."""
        self.process = self._process(env or {})
        self.process.start(self._ready)

    def kill(self) -> None:
        self.process.stop(signal.SIGKILL)

    def create_receiver(self, **body: Any) -> dict[str, Any]:
        answer = self.api.post("/receivers", json=body)
        assert answer.status_code == 200, answer.text
        created: dict[str, Any] = answer.json()
        return created

    def executions(self, **filters: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.get("/executions", params=filters).json()["data"]
        return found

    def execution_of(self, tag: str) -> dict[str, Any] | None:
        """The execution of the newest push of a tag."""
        return next((e for e in self.executions() if e["event"]["tag"] == tag), None)

    def wait_for_end(self, tag: str, seconds: float = 30) -> dict[str, Any]:
        """Wait until the newest push of a tag has ended; gives its execution."""

        def ended() -> dict[str, Any] | None:
            found = self.execution_of(tag)
            return found if found and found["state"] in ENDED else None

        execution: dict[str, Any] = wait_for(ended, seconds)
        answer: dict[str, Any] = self.api.get(f"/executions/{execution['id']}").json()
        return answer

    def _process(self, env: Mapping[str, str]) -> Process:
        return Process([self._program, "serve"], self._folder, name="host", env=self._env | {**env})

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=1).status_code == 200
        except httpx.HTTPError:
            return False
