"""kill -9 between the answer and the change: what was accepted happens all the same."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.e2e.host import Host
from tests.e2e.shop import Shop
from tests.servers.proxy import Proxy
from webhook_service.testing.samples import dockerhub_push

REPOSITORY = "docker.io/acme/shop"
START = datetime.now(UTC) - timedelta(hours=1)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture
def proxy(shop: Shop) -> Iterator[Proxy]:
    with Proxy(int(shop.plane.server.rpartition(":")[2])) as proxy:
        yield proxy


def through(proxy: Proxy, kubeconfig: Path, folder: Path) -> Path:
    """The same kubeconfig, with the API server reached through the proxy."""
    config = json.loads(kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{proxy.port}"
    path = folder / "proxied.kubeconfig"
    path.write_text(json.dumps(config))
    return path


def test_no_accepted_push_is_lost_by_a_kill_before_the_patch(
    proxy: Proxy, shop: Shop, tmp_path: Path, long: bool
) -> None:
    rounds = 10 if long else 3
    shop.set_image(f"{REPOSITORY}:0")
    with Host(tmp_path, through(proxy, shop.kubeconfig, tmp_path)) as host:
        config = {"namespace": shop.namespace, "name": "shop"}
        body = {"driver": "deploymentUpdate", "deploymentUpdateConfig": config}
        url = host.create_receiver(name="shop", **body)["url"]
        for number in range(1, rounds + 1):
            proxy.hold()
            moment = START + timedelta(seconds=number)
            push = dockerhub_push("acme/shop", str(number), pushed_at=moment)
            answer = httpx.post(url, content=push)
            assert (answer.status_code, answer.json()["state"]) == (200, "accepted")
            host.kill()
            proxy.release()
            assert shop.images["shop"] == f"{REPOSITORY}:{number - 1}"
            host.start()
            execution = host.wait_for_end(str(number))
            assert execution["state"] == "succeeded", execution["message"]
            assert shop.images["shop"] == f"{REPOSITORY}:{number}"
        assert {e["state"] for e in host.executions()} == {"succeeded"}
        assert len(host.executions()) == rounds
