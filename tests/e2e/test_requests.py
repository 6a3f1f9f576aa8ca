"""What a push costs the API server, counted there."""

from pathlib import Path

import httpx

from tests.drivers.steps import workload
from tests.e2e.host import Host
from tests.support import wait_for
from webhook_service.testing import FakeCluster
from webhook_service.testing.samples import dockerhub_push


def test_a_push_costs_one_read_one_patch_and_two_events(tmp_path: Path) -> None:
    with FakeCluster(ready_delay=0.5) as fake:
        fake.apply(workload())
        with Host(tmp_path, fake.write_kubeconfig(tmp_path / "kubeconfig")) as host:
            target = {"namespace": "default", "name": "shop"}
            made = host.create_receiver(
                name="shop", driver="deploymentUpdate", deploymentUpdateConfig=target
            )

            def push(tag: str) -> None:
                body = dockerhub_push("acme/shop", tag, pushed_at=None)
                httpx.post(made["url"], content=body).raise_for_status()
                assert host.wait_for_end(tag, 60)["state"] == "succeeded"

            def methods() -> list[str]:
                return [each.method for each in fake.requests if "watch" not in each.query]

            begun = len(methods())
            push("2")  # which begins the watch
            wait_for(lambda: methods()[begun:].count("POST") == 2)
            before = len(methods())
            push("3")
            wait_for(lambda: methods()[before:].count("POST") == 2)
            assert sorted(methods()[before:]) == ["GET", "PATCH", "POST", "POST"]
