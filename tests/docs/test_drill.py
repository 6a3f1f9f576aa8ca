"""docs/deployment/drill.md runs as it stands, and deploys nothing."""

from pathlib import Path

import pytest

from tests.docs.terminal import Terminal, shell_blocks
from tests.docs.test_docs import deployment
from tests.support import push
from webhook_service import Settings, WebhookService
from webhook_service.testing import FakeCluster

PAGE = Path(__file__).parents[2] / "docs/deployment/drill.md"
SHOP = {
    "name": "shop",
    "driver": "deploymentUpdate",
    "deploymentUpdateConfig": {"namespace": "shop", "name": "shop"},
    "verify": {"scheme": "none"},
    "match": {"repositories": ["acme/shop"]},
}


@pytest.mark.timeout(600)
def test_the_drill_takes_a_push_and_deploys_nothing(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        cluster.apply(deployment("acme/shop:1.0.0"))
        config = cluster.write_kubeconfig(tmp_path / "kubeconfig")
        terminal = Terminal(
            tmp_path / "home", environment={"WEBHOOK_SERVICE_KUBECONFIG": str(config)}
        )
        (terminal.folder / "passphrase.txt").write_text("a passphrase of the tests\n")
        settings = Settings(
            database_url=f"sqlite:///{terminal.folder}/service.db", kubeconfig=config
        )
        with WebhookService.open(settings, run=False) as service:
            receiver = service.create_receiver("shop", SHOP)
            push(service, service.receiver_key("shop", receiver.id), "1.0.1", project="shop")
            printed = terminal.run(*shell_blocks(PAGE), timeout=500)
        pods = cluster.get("Deployment", "shop", "shop")["spec"]["template"]["spec"]
    assert pods["containers"][0]["image"] == "acme/shop:1.0.0"
    waiting = printed[printed.rindex("IMAGE") :]
    assert "9.9.9" in waiting and "held" in waiting
