"""The commands of docs/operations.md run, in the order of the page."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.test_docs import blocks, deployment
from tests.support import PROJECT, push, sqlite_url, wait_for_end
from webhook_service import Settings, WebhookService
from webhook_service.cli.failures import ExitCode
from webhook_service.host.app import create_app
from webhook_service.testing import FakeCluster

PAGE = (Path(__file__).parents[2] / "docs/operations.md").read_text()
PROGRAM = str(Path(sys.executable).with_name("webhook-service"))


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database in which a receiver has deployed three images."""
    monkeypatch.setenv("WEBHOOK_SERVICE_DATABASE_URL", sqlite_url(tmp_path))
    monkeypatch.setenv("WEBHOOK_SERVICE_PROJECT", PROJECT)
    body = {
        "name": "shop",
        "driver": "deploymentUpdate",
        "deploymentUpdateConfig": {"namespace": "shop", "name": "shop"},
    }
    with FakeCluster() as cluster:
        cluster.apply(deployment("acme/shop:1.0.0"))
        config = cluster.write_kubeconfig(tmp_path / "kubeconfig")
        monkeypatch.setenv("WEBHOOK_SERVICE_KUBECONFIG", str(config))
        with WebhookService.open(Settings()) as service:
            receiver = service.create_receiver(PROJECT, body)
            key = service.receiver_key(PROJECT, receiver.id)
            for tag in ("1.2.1", "1.2.2", "1.2.3"):
                (execution,) = push(service, key, tag, pushed_at=None).executions
                assert wait_for_end(service, execution).state == "succeeded"


@pytest.mark.usefixtures("environment")
@pytest.mark.timeout(600)
def test_the_commands_run() -> None:
    lines = [line for block in blocks(PAGE, "sh") for line in block.splitlines()]
    runnable = [shlex.split(line, comments=True) for line in lines if "…" not in line]
    assert len(runnable) == 12
    for words in runnable:
        done = subprocess.run([PROGRAM, *words[1:]], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr


@pytest.mark.usefixtures("environment")
def test_the_requests_have_routes() -> None:
    documented = {
        (method, re.sub(r"(rcv|exe)_…", "{id}", path))
        for method, path in re.findall(r"^(GET|POST) +(/v1-webhooks/[^\s?]+)", PAGE, re.MULTILINE)
    }
    with WebhookService.open(Settings(), run=False) as service:
        routes = {
            (method, route.path)
            for route in create_app(service, manage_service=False).routes
            for method in route.methods  # type: ignore[attr-defined]
        }
    assert documented and documented <= routes


def test_the_exit_codes_on_the_page_are_those_of_the_commands() -> None:
    found = re.findall(r"^\| (\d+) \| ", PAGE.partition("| exit code |")[2], re.MULTILINE)
    assert [int(each) for each in found] == list(ExitCode)
