"""The documentation runs: its examples are executed, its tables compared with the code."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.docs.terminal import Terminal, shell_blocks
from tests.host.served import serving
from tests.support import PROJECT, SECRET, sqlite_url, wait_for_end
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdateConfig
from webhook_service import Call, PushEvent, Settings, WebhookService
from webhook_service.model.delivery import Reason
from webhook_service.model.receiver import HIDDEN, ReceiverSpec
from webhook_service.model.rules.registry import RegistryRule
from webhook_service.receiving.config_secrets import part_config
from webhook_service.testing import FakeCluster, sample_context
from webhook_service.testing.samples import dockerhub_push

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
RECEIVERS = (ROOT / "docs/receivers.md").read_text()


def deployment(image: str) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop", "namespace": "shop"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": {
                "metadata": {"labels": {"app": "shop"}},
                "spec": {"containers": [{"name": "shop", "image": image}]},
            },
        },
    }


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Iterator[Path]:
    with FakeCluster() as cluster:
        cluster.apply(deployment("acme/shop:1.0.0"))
        yield cluster.write_kubeconfig(tmp_path / "kubeconfig")


@pytest.mark.timeout(300)
def test_the_readme_runs_as_it_stands(tmp_path: Path) -> None:
    """Block after block, in one shell; what `make` and `kubectl` would do is done before."""
    with FakeCluster() as cluster:
        cluster.apply(deployment("nginx:1.27.1"))
        kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
        terminal = Terminal(
            tmp_path / "home", environment={"WEBHOOK_SERVICE_KUBECONFIG": str(kubeconfig)}
        )
        (script,) = blocks(README, "python")
        (terminal.folder / "script.py").write_text(script)
        printed = terminal.run(*shell_blocks(ROOT / "README.md"), "python script.py")
        pods = cluster.get("Deployment", "shop", "shop")["spec"]["template"]["spec"]
    assert printed.splitlines()[-1].startswith("accepted succeeded ")
    assert pods["containers"][0]["image"] == "nginx:1.29.0"


def test_examples_are_installed_from_the_checkout_that_they_lie_in() -> None:
    """No index has the service yet: a package of its name there would be somebody else's."""
    pages = sorted((ROOT / "examples").glob("*/README.md"))
    assert pages
    for page in pages:
        text = page.read_text()
        assert "pip install webhook-service" not in text and "pip install ../.." in text, page


def test_the_documented_receiver_works(tmp_path: Path, kubeconfig: Path) -> None:
    body, _ = blocks(RECEIVERS, "json")
    (calls,) = [block for block in blocks(RECEIVERS, "sh") if "$RECEIVER_URL" in block]
    settings = Settings(database_url=sqlite_url(tmp_path), secret_key=SECRET, kubeconfig=kubeconfig)

    with serving(WebhookService.open(settings)) as served:
        service = served.service
        receiver = service.create_receiver(PROJECT, json.loads(body))
        key = service.receiver_key(PROJECT, receiver.id)
        delivery = service.accept(PROJECT, key, Call(dockerhub_push("acme/shop", "1.2.3")))
        assert wait_for_end(service, delivery.executions[0]).state == "succeeded"
        ignored = service.accept(PROJECT, key, Call(dockerhub_push("acme/shop", "latest")))
        assert ignored.reason == "tag_mismatch"
        query = urlencode({"key": key, "projectId": PROJECT})
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", calls],
            env={
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "RECEIVER_URL": f"{served.base}/v1-webhooks/endpoint?{query}",
                "PUSH": dockerhub_push("acme/shop", "1.2.4").decode(),
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        images = [each.event.image for each in service.list_executions(PROJECT).items]
    assert images == [f"docker.io/acme/shop:{tag}" for tag in ("1.2.3", "1.2.4", "1.2.3")]


def test_the_documented_keyless_signer_is_one() -> None:
    _, asked = blocks(RECEIVERS, "json")
    assert RegistryRule.model_validate(json.loads(asked)["registry"]).cosign_keyless


def test_every_part_of_a_receiver_is_documented() -> None:
    fields = {*ReceiverSpec.model_fields} - {"config", "secret_config"}
    missing = [field for field in fields if not re.search(rf"`{field}[`.]", RECEIVERS)]
    assert missing == []


def test_every_field_of_the_kubernetes_driver_is_documented() -> None:
    fields = DeploymentUpdateConfig.model_json_schema(by_alias=True)["properties"]
    assert [field for field in fields if f"`{field}`" not in RECEIVERS] == []


def test_every_reason_of_an_ignored_call_is_documented() -> None:
    assert [reason for reason in Reason if f"`{reason}`" not in RECEIVERS] == []


def test_every_setting_is_documented_and_nothing_else() -> None:
    text = (ROOT / "docs/settings.md").read_text()
    documented = set(re.findall(r"^\| `WEBHOOK_SERVICE_(\w+)`", text, re.MULTILINE))
    assert documented == {name.upper() for name in Settings.model_fields}


def test_the_driver_of_the_guide_runs() -> None:
    guide = (ROOT / "docs/writing-a-driver.md").read_text()
    source, secrets = blocks(guide, "python")[:2]
    names: dict[str, Any] = {}
    exec(source, names)

    event = PushEvent(registry="docker.io", repository="acme/shop", tag="1")
    outcome = names["Greet"]().execute(names["GreetConfig"](), event, sample_context())
    assert outcome.changes[0].after == "hello docker.io/acme/shop:1"

    exec(dedent(secrets), names)
    said = {"url": "https://chat.test", "token": "hunter2"}
    shown, whole = part_config(names["NotifyConfig"].model_validate(said), "notifyConfig")
    assert (shown["token"], whole) == (HIDDEN, said)
