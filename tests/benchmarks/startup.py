"""How long a start takes, and what an idle process holds."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.benchmarks.figures import Figure, repeat
from tests.servers.process import free_port, wait_until
from tests.support import PROJECT
from webhook_service.testing import FakeCluster

PROGRAM = str(Path(sys.executable).with_name("webhook-service"))
# The Kubernetes client loads this library of the tests where it is installed, which takes 22 MB.
AS_INSTALLED = (
    "import sys; sys.modules['kubernetes_validate'] = None; "
    "from webhook_service.cli import main; main()"
)
POLL = 0.005


def measure() -> list[Figure]:
    """Help, readiness, and memory with the Kubernetes client loaded."""
    with tempfile.TemporaryDirectory() as folder, FakeCluster() as cluster:
        env = _environment(Path(folder), cluster)
        _run(env, "migrate")
        return [
            Figure("webhook-service --help", "s", repeat(lambda: _time_help(env)), 0.3),
            Figure("host ready", "s", repeat(lambda: _time_ready(env)), 0.8),
            Figure("idle memory, Kubernetes client loaded", "MB", [_idle_memory(env)], 90),
        ]


def _environment(folder: Path, cluster: FakeCluster) -> dict[str, str]:
    return os.environ | {
        "WEBHOOK_SERVICE_DATABASE_URL": f"sqlite:///{folder / 'bench.db'}",
        "WEBHOOK_SERVICE_LISTEN": f"127.0.0.1:{free_port()}",
        "WEBHOOK_SERVICE_KUBECONFIG": str(cluster.write_kubeconfig(folder / "kubeconfig")),
    }


def _run(env: dict[str, str], *words: str) -> str:
    done = subprocess.run([PROGRAM, *words], env=env, check=True, capture_output=True, text=True)
    return done.stdout


def _time_help(env: dict[str, str]) -> float:
    started = time.perf_counter()
    _run(env, "--help")
    return time.perf_counter() - started


def _time_ready(env: dict[str, str]) -> float:
    started = time.perf_counter()
    with _host(env):
        return time.perf_counter() - started


@contextmanager
def _host(env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A host that is ready; it is ended afterwards."""
    url = f"http://{env['WEBHOOK_SERVICE_LISTEN']}"
    with httpx.Client(base_url=url, timeout=1) as client:
        process = subprocess.Popen(
            [sys.executable, "-c", AS_INSTALLED, "serve"],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert wait_until(lambda: _ready(client), 30, POLL), "the host is not ready"
            yield process
        finally:
            process.terminate()
            process.wait(15)


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def _idle_memory(env: dict[str, str]) -> float:
    """Resident memory in MB after one push made the host load its Kubernetes client."""
    url = f"http://{env['WEBHOOK_SERVICE_LISTEN']}/v1-webhooks"
    words = ("token", "create", "--project", PROJECT, "--role", "owner", "--output", "json")
    headers = {"Authorization": f"Bearer {json.loads(_run(env, *words))['token']}"}
    body = {
        "name": "bench",
        "driver": "deploymentUpdate",
        "deploymentUpdateConfig": {"namespace": "shop", "name": "missing"},
    }
    with _host(env) as process:
        # The Deployment is missing, and asking for it is all that is needed here.
        httpx.post(f"{url}/receivers", json=body, headers=headers, timeout=30)
        time.sleep(1)
        return _resident(process.pid)


def _resident(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise LookupError("no VmRSS")
