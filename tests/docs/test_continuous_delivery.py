"""The page from a merge to running pods: a reader who follows it gets there."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.docs.test_docs import ROOT, blocks
from tests.host.served import serving
from tests.support import sqlite_url
from webhook_service import Settings, WebhookService
from webhook_service.testing import FakeCluster

PAGE = (ROOT / "docs/continuous-delivery.md").read_text()


def test_the_page_leads_from_the_manifest_to_a_rollout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (manifest,) = blocks(PAGE, "yaml")
    deployment = yaml.safe_load(manifest)
    program = str(Path(sys.executable).with_name("webhook-service"))

    def run(words: list[str]) -> str:
        done = subprocess.run([program, *words[1:]], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    with FakeCluster(ready_delay=0.02) as cluster:
        cluster.apply(deployment)
        kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
        monkeypatch.setenv("WEBHOOK_SERVICE_DATABASE_URL", sqlite_url(tmp_path))
        monkeypatch.setenv("WEBHOOK_SERVICE_KUBECONFIG", str(kubeconfig))
        text = re.sub(r"^ {3}", "", PAGE, flags=re.MULTILINE).replace("\\\n", " ")
        create, send, history = (
            shlex.split(line) for line in text.splitlines() if line.startswith("webhook-service ")
        )
        made = json.loads(run([*create, "-o", "json"]))
        settings = Settings(database_url=sqlite_url(tmp_path), kubeconfig=kubeconfig)
        with serving(WebhookService.open(settings)) as served:
            url = re.sub(r"^http://[^/]+", served.base, made["url"])
            run([word.replace("$URL", url) for word in send])
        assert "acme/shop:1.2.4" in run(history)
        live = cluster.get("Deployment", "shop", "shop")
    assert live["spec"]["strategy"] == deployment["spec"]["strategy"]
    (container,) = live["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith("docker.io/acme/shop:1.2.4")
