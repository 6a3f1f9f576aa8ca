"""docs/gitops.md: every command runs, from an empty cluster to the sync of what was merged.

The API server, kubectl and git are real. The Git host is a double of GitHub's API; Argo CD and Flux
are their kinds, with small controllers.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from tests.contract.client import Client
from tests.docs.terminal import Terminal, shell_blocks
from tests.docs.test_docs import ROOT
from tests.drivers.git.hosts import PATH
from tests.servers.control_plane import ControlPlane, assets
from tests.servers.deployers import (
    ARGO_KUSTOMIZE,
    FLUX_KUSTOMIZE,
    GIT_REPOSITORY,
    defined,
    syncing,
)
from tests.servers.forges import TOKEN, Forge
from tests.support import PROJECT, SECRET, sqlite_url
from webhook_service import InvalidConfig, WebhookService
from webhook_service.model.receiver_document import ReceiverDocument
from webhook_service.settings import load_settings

FILE = ROOT / "docs/gitops.md"
BLOCKS = [dedent(each) for each in re.findall(r"```yaml\n(.*?)```", FILE.read_text(), re.DOTALL)]
KUSTOMIZATION, APPLICATION, FLUX, RECEIVER = BLOCKS
KINDS = (ARGO_KUSTOMIZE, FLUX_KUSTOMIZE, GIT_REPOSITORY)

pytestmark = [
    pytest.mark.xdist_group("controlplane"),
    pytest.mark.control_plane,
    pytest.mark.timeout(300),
]


def kubectl(cluster: ControlPlane) -> list[str]:
    return [str(assets() / "kubectl"), "--kubeconfig", str(cluster.kubeconfig)]


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """With Argo CD and Flux, as far as a push meets them."""
    with Client(control_plane.kubeconfig) as client, defined(client, KINDS):
        for name in ("argocd", "flux-system", "shop"):
            client.send("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        yield control_plane


def test_the_page_leads_from_nothing_to_a_push_that_is_synced(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    with Forge(tmp_path / "git") as forge:
        forge.bare.write(PATH, KUSTOMIZATION.encode())
        terminal = Terminal(
            tmp_path / "home",
            environment={
                "WEBHOOK_SERVICE_KUBECONFIG": str(cluster.kubeconfig),
                "WEBHOOK_SERVICE_ALLOW_PRIVATE": "127.0.0.0/8",
            },
            replaced={
                "https://api.github.com": f"{forge.origin}/api/v3",
                "https://github.com": forge.origin,
                "github_pat_…": TOKEN,
            },
            shims={"kubectl": f'exec {" ".join(kubectl(cluster))} "$@"'},
        )
        for name, text in (("deploy.yaml", APPLICATION), ("receiver.yaml", RECEIVER)):
            (terminal.folder / name).write_text(terminal.own(text))
        with syncing(cluster.kubeconfig, "argocd", ARGO_KUSTOMIZE, forge.bare):
            printed = terminal.run(*shell_blocks(FILE))
        assert forge.bare.read(PATH) == KUSTOMIZATION.replace("1.0.0", "1.1.0").encode()
        # The second one is that of the way back.
        assert [each.state for each in forge.requests][:1] == ["merged"]
    assert TOKEN not in printed
    after_the_merge = printed.partition("\ntrue\n")[2]
    assert re.search(r"\bsucceeded\b", after_the_merge), printed
    assert "sync is Synced, health is Healthy" in after_the_merge


def test_with_flux_the_receiver_follows_what_the_page_has(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    apply = [*kubectl(cluster), "apply", "-f", "-"]
    subprocess.run(apply, input=FLUX, text=True, check=True, timeout=60)
    (follow,) = re.findall(r"`follow: (\{kind: Kustomization.*\})`", FILE.read_text())
    with Forge(tmp_path / "git") as forge:
        forge.bare.write(PATH, KUSTOMIZATION.encode())
        document = yaml.safe_load(RECEIVER.replace("https://github.com", forge.origin))
        config = document["spec"]["gitCommitConfig"]
        config |= {"token": TOKEN, "follow": yaml.safe_load(follow)}
        body = ReceiverDocument.read(document).body(lambda _: False)
        settings = load_settings(
            database_url=sqlite_url(tmp_path),
            secret_key=SECRET,
            kubeconfig=cluster.kubeconfig,
            allow_private=("127.0.0.0/8",),
        )
        with WebhookService.open(settings, run=False) as service:
            assert service.apply_receiver(PROJECT, body).result == "created"
            config["follow"]["name"] = "nothing"
            with pytest.raises(InvalidConfig, match="nothing"):
                service.apply_receiver(PROJECT, body)
