"""The page about inboxes: every command of it runs, and what it says comes true."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.docs.test_docs import ROOT
from tests.host.served import serving
from tests.support import PROJECT, SECRET, sqlite_url, wait_for_end
from webhook_service import Settings, WebhookService
from webhook_service.model.people.tokens import Role
from webhook_service.model.receiver import MAX_INBOXES as OF_RECEIVER
from webhook_service.receiving.inbox import MAX_WORKS
from webhook_service.store.endpoints.inboxes import MAX_INBOXES
from webhook_service.testing import FakeCluster

PAGE = (ROOT / "docs/inboxes.md").read_text()
BIN = Path(sys.executable).parent
SERVICES = ("shop", "cart", "web")


def deployment(name: str) -> dict[str, Any]:
    labels = {"app": name}
    container = {"name": name, "image": f"harbor.example/acme/{name}:1.2.3"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def test_the_page_leads_from_one_webhook_to_the_right_rollout(tmp_path: Path) -> None:
    text = re.sub(r"^ {3}", "", PAGE, flags=re.MULTILINE)
    commands = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    variables, *steps = commands
    assert set(re.findall(r"(\w+)=", variables)) == {
        "WEBHOOK_SERVICE_SERVER",
        "WEBHOOK_SERVICE_TOKEN",
        "SECRET",
    }
    with FakeCluster(ready_delay=0.02) as cluster:
        for name in SERVICES:
            cluster.apply(deployment(name))
        kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
        settings = Settings(
            database_url=sqlite_url(tmp_path), secret_key=SECRET, kubeconfig=kubeconfig
        )
        with serving(WebhookService.open(settings)) as served:
            _, token = served.service.create_token(PROJECT, Role.OWNER)
            mine = {
                "WEBHOOK_SERVICE_SERVER": served.base,
                "WEBHOOK_SERVICE_TOKEN": token,
                "SECRET": "of Harbor",
                "PATH": f"{BIN}:{os.environ['PATH']}",
            }

            def run(command: str) -> str:
                shell = ["bash", "-euo", "pipefail", "-c", command]
                env = {**os.environ, **mine}
                done = subprocess.run(
                    shell, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=env
                )
                assert done.returncode == 0, done.stdout + done.stderr
                return done.stdout.strip()

            told = [run(step) for step in steps]
            (execution,) = served.service.list_executions(PROJECT).items
            assert wait_for_end(served.service, execution.id).state == "succeeded"
        images = [_image(cluster, name) for name in SERVICES]
    url, made, planned, state, items = told
    assert "/v1-webhooks/endpoint?key=whk_" in url
    assert [id_[:4] for id_ in made.split()] == ["rcv_"] * len(SERVICES)
    assert planned == '"harbor.example/acme/cart:1.2.4"'
    assert (state, items) == ("accepted", "accepted")
    assert images == [
        f"harbor.example/acme/{name}" for name in ("shop:1.2.3", "cart:1.2.4", "web:1.2.3")
    ]


def _image(cluster: FakeCluster, name: str) -> str:
    live = cluster.get("Deployment", "shop", name)
    (container,) = live["spec"]["template"]["spec"]["containers"]
    return str(container["image"])


def test_the_limits_on_the_page_are_those_of_the_code() -> None:
    found = re.findall(r"^\| [^|]+ \| (\d+) \|$", PAGE, re.MULTILINE)
    assert [int(each) for each in found] == [MAX_INBOXES, OF_RECEIVER, MAX_WORKS]
