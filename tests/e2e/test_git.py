"""From a push to what runs, by way of Git: a pull request, its merge, the sync, and its end.

The API server and git are real; forges and controllers are doubles that behave as documented.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contract.client import Client
from tests.contract.manifests import resource
from tests.drivers.git.hosts import FILE, PATH, running
from tests.servers.control_plane import ControlPlane
from tests.servers.deployers import (
    ARGO_KUSTOMIZE,
    FLUX_HELM,
    FLUX_KUSTOMIZE,
    Tool,
    defined,
    syncing,
)
from tests.support import PROJECT, SECRET, push, sqlite_url, wait_for, wait_for_end
from webhook_service.service import WebhookService
from webhook_service.settings import load_settings

RELEASE = "apps/shop/release.yaml"
pytestmark = [pytest.mark.xdist_group("controlplane"), pytest.mark.control_plane]


@dataclass(frozen=True)
class Way:
    """One of the ways: a tool, a forge, and which file the push changes.

    Attributes:
        manifest: whether that file is the manifest of what is followed.
    """

    tool: Tool
    forge: str
    manifest: bool = False

    @property
    def files(self) -> dict[str, bytes]:
        if self.manifest:
            return {RELEASE: yaml.safe_dump(self.tool.manifest("shop")).encode()}
        return {PATH: FILE}

    @property
    def config(self) -> dict[str, Any]:
        if not self.manifest:
            return {"path": PATH}
        fields = {"spec.values.image.tag": "{tag}"}
        return {"path": RELEASE, "edit": {"type": "yaml", "fields": fields}}


WAYS = {
    "argocd": Way(ARGO_KUSTOMIZE, "gitlab"),
    "flux-kustomization": Way(FLUX_KUSTOMIZE, "gitea"),
    "flux-helmrelease": Way(FLUX_HELM, "github", manifest=True),
}


@pytest.fixture(scope="module")
def client(control_plane: ControlPlane) -> Iterator[Client]:
    with Client(control_plane.kubeconfig) as client:
        with defined(client, (way.tool for way in WAYS.values())):
            yield client


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_push_succeeds_after_the_merge_and_the_sync(
    way: Way, control_plane: ControlPlane, client: Client, namespace: str, tmp_path: Path
) -> None:
    tool = way.tool
    objects = resource(tool.api_version, tool.plural, namespace)
    client.ok("POST", objects, tool.manifest(namespace))
    settings = load_settings(
        database_url=sqlite_url(tmp_path),
        secret_key=SECRET,
        kubeconfig=control_plane.kubeconfig,
        allow_private=("127.0.0.0/8",),
    )
    with (
        running(way.forge, tmp_path / "git", way.files) as host,
        syncing(
            control_plane.kubeconfig, namespace, tool, host.bare, RELEASE if way.manifest else ""
        ),
        WebhookService.open(settings) as service,
    ):
        follow = {"kind": tool.kind, "namespace": namespace, "name": "shop"}
        config = {**host.config, **way.config, "push": {"pullRequest": {}}, "follow": follow}
        body = {
            **{"name": "shop", "driver": "gitCommit", "gitCommitConfig": config},
            "match": {"repositories": ["docker.io/acme/shop"]},
            "verify": {"scheme": "none"},
        }
        receiver = service.create_receiver(PROJECT, body)
        key = service.receiver_key(PROJECT, receiver.id)
        (execution,) = push(service, key, "1.1.0").executions
        wait_for(lambda: bool(host.server.requests))
        waiting = service.get_execution(PROJECT, execution)
        assert waiting.finished is None, waiting.message
        host.server.merge(1)
        ended = wait_for_end(service, execution, 60)
        assert (ended.state, ended.reason) == ("succeeded", None), ended.message
        merged = host.server.requests[0].merged_as
        assert host.bare.head() == merged, "one request, one merge, and nothing after it"
    assert f"{tool.kind}" in ended.message and "1.1.0" in ended.message
    live = client.ok("GET", f"{objects}/shop")
    said = str(live["status"]) if not way.manifest else live["spec"]["values"]["image"]["tag"]
    assert (merged if not way.manifest else "1.1.0") in said
