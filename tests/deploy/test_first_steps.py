"""What the chart tells people to run once it is installed: `helm test`, and the notes' command."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.test_chart import CHART, IMAGE, POSTGRESQL, ROOT, helm, pods, rendered
from tests.e2e.host import Host
from tests.host.served import serving
from tests.servers.certificates import self_signed
from tests.servers.control_plane import ControlPlane
from tests.support import make_service, sqlite_url
from webhook_service.host.limits.tls import TlsFiles

SHOP = {"targets": [{"namespace": "shop", "drivers": ["deploymentUpdate"]}]}


def ready(values: dict[str, Any], port: int) -> "subprocess.CompletedProcess[str]":
    """What the pod of `helm test` runs, against a host on this machine."""
    (container,) = next(spec["containers"] for spec in pods(values) if "restartPolicy" in spec)
    assert container["command"] == ["python3", "-c"]
    (program,) = container["args"]
    assert program.count("//hooks:80/") == 1
    program = program.replace("//hooks:80/", f"//127.0.0.1:{port}/")
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)


@pytest.mark.parametrize("secret", ["", "certificate"])
def test_helm_test_passes_while_the_service_takes_calls_and_fails_after(
    secret: str, tmp_path: Path
) -> None:
    key, certificate = self_signed(tmp_path, "hooks")
    values = IMAGE | {"tls": {"existingSecret": secret}}
    files = TlsFiles(certificate, key) if secret else None
    with serving(make_service(sqlite_url(tmp_path)), files=files) as host:
        port = host.port
        assert (done := ready(values, port)).returncode == 0, done.stderr
    assert ready(values, port).returncode != 0


def words(command: str) -> list[str]:
    return shlex.split(command.replace("\\\n", " "))


def noted(said: str) -> list[str]:
    """The words of the command that the notes name, from `kubectl` on."""
    command = re.search(r"^  kubectl (?:.*\\\n)+.*", said, re.MULTILINE)
    assert command is not None, said
    return words(command[0])


@pytest.mark.e2e
def test_the_charts_own_account_may_run_the_command_of_the_notes(
    control_plane: ControlPlane, namespace: str, target: str, tmp_path: Path
) -> None:
    values = IMAGE | {"targets": [{"namespace": target, "drivers": ["deploymentUpdate"]}]}
    where = ["--namespace", namespace, "--kubeconfig", control_plane.kubeconfig]
    done = helm("install", "hooks", CHART, *where, values=values)
    assert done.returncode == 0, done.stderr
    command = noted(done.stdout)
    program, *inside = command[command.index("--") + 1 :]
    assert program == "webhook-service"
    account = control_plane.kubeconfig_for_service_account(namespace, "hooks")
    with Host(tmp_path, account, {"NAMESPACES": f'{{"*": ["{target}"]}}'}) as host:
        assert host.command(*inside)["url"].startswith(host.url)


def dry(values: dict[str, Any]) -> str:
    return helm("install", "hooks", CHART, "-n", "cd", "--dry-run=client", values=values).stdout


def test_the_command_of_the_notes_is_that_of_the_guide_and_names_the_pod_of_each_database() -> None:
    guide = (ROOT / "docs/deployment/kubernetes.md").read_text()
    (block,) = re.findall(r"^```sh\n(kubectl [^`]*receiver create[^`]*)```", guide, re.MULTILINE)
    assert words(block) == noted(dry(IMAGE | SHOP))
    (spoken,) = (word for word in noted(dry(POSTGRESQL | SHOP)) if word.endswith("/hooks"))
    (host,) = (each["kind"] for each in rendered(POSTGRESQL) if "template" in each.get("spec", {}))
    assert spoken == f"{host.lower()}/hooks"
