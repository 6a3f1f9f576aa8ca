"""The process dies where an execution goes back, is given up, or people step in."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.host import ENDED, Host
from tests.reliability.conftest import StartHosts
from tests.reliability.farm import NAMESPACE, REPOSITORY, Farm
from tests.servers.flaky import Fault, FlakyApi
from tests.servers.process import StartFailed, wait_until
from tests.support import wait_for
from webhook_service.failpoints import VARIABLE
from webhook_service.testing.samples import dockerhub_push

START = datetime.now(UTC) - timedelta(hours=1)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Shop:
    """One receiver on one host, with its target."""

    def __init__(self, farm: Farm, host: Host, **receiver: Any) -> None:
        self.farm, self.host = farm, host
        self.name = farm.names[0]
        config = {"namespace": NAMESPACE, "name": self.name, "timeoutSeconds": 3}
        self.receiver = host.create_receiver(
            name="shop",
            driver="deploymentUpdate",
            deploymentUpdateConfig={**config, "rollbackOnFailure": True},
            match={"repositories": [REPOSITORY]},
            verify={"scheme": "none"},
            **receiver,
        )
        self.pushed = 0

    @property
    def tag(self) -> str:
        return self.farm.image(self.name).rpartition(":")[2]

    def push(self, tag: str) -> str:
        """Push, and give the id of the execution."""
        self.pushed += 1
        moment = START + timedelta(seconds=self.pushed)
        body = dockerhub_push(REPOSITORY, tag, pushed_at=moment)
        answer = httpx.post(self.receiver["url"], content=body, timeout=10)
        execution: str = answer.json()["executions"][0]
        return execution

    def deploy(self, tag: str) -> str:
        execution = self.push(tag)
        assert self.end_of(execution)["state"] == "succeeded"
        return execution

    def end_of(self, execution: str) -> Mapping[str, Any]:
        def ended() -> Any:
            found = self.host.api.get(f"/executions/{execution}").json()
            return found if found["state"] in ENDED else None

        found: Mapping[str, Any] = wait_for(ended, 40)
        return found

    def crash_at(self, place: str, act: Callable[[], object] = lambda: None) -> None:
        """Let the host die there; it may do so before it is ready."""
        self.host.kill()
        with suppress(StartFailed, httpx.HTTPError):
            self.host.start({VARIABLE: f"{place}=kill"})
            act()
        assert wait_until(lambda: not self.host.process.running, 30), f"{place}: not reached"


@pytest.fixture
def shop(farm: Farm, start_hosts: StartHosts) -> Shop:
    return Shop(farm, start_hosts(1)[0])


@pytest.mark.parametrize("place", ["undo.before", "undo.sent"])
def test_a_crash_while_a_bad_image_is_undone_ends_at_the_good_one(shop: Shop, place: str) -> None:
    shop.deploy("1")
    pushed: list[str] = []
    shop.crash_at(place, lambda: pushed.append(shop.push("2-bad")))
    shop.host.start()
    ended = shop.end_of(pushed[0])
    assert (ended["state"], ended["reason"]) == ("failed", "rolled_back")
    assert shop.farm.history[shop.name][-3:] == [
        f"docker.io/{REPOSITORY}:{tag}" for tag in ("1", "2-bad", "1")
    ]


def test_a_crash_while_a_replay_is_asked_for_makes_one_replay(shop: Shop) -> None:
    first = shop.deploy("1")
    shop.crash_at("replay.committed", lambda: shop.host.api.post(f"/executions/{first}/replay"))
    shop.host.start()
    wait_for(lambda: len(shop.host.executions()) == 2)
    [replay, _] = shop.host.executions()
    assert shop.end_of(replay["id"])["state"] in ("succeeded", "unchanged")
    assert shop.tag == "1"


def test_a_crash_while_a_rollback_is_asked_for_rolls_back_once(shop: Shop) -> None:
    shop.deploy("1")
    shop.deploy("2")
    path = f"/receivers/{shop.receiver['id']}/rollback"
    shop.crash_at("rollback.committed", lambda: shop.host.api.post(path, json={}))
    shop.host.start()
    wait_for(lambda: shop.tag == "1", 20)
    executions = shop.host.executions()
    assert len(executions) == 3
    assert shop.end_of(executions[0]["id"])["state"] == "succeeded"


def test_a_crash_while_a_push_is_approved_deploys_it(farm: Farm, start_hosts: StartHosts) -> None:
    shop = Shop(farm, start_hosts(1)[0], approval={"count": 1, "withinSeconds": 600})
    held = shop.push("1")
    shop.crash_at("approve.committed", lambda: shop.host.api.post(f"/executions/{held}/approve"))
    shop.host.start()
    assert shop.end_of(held)["state"] == "succeeded"
    assert shop.tag == "1"


def test_a_crash_while_a_retry_is_planned_keeps_the_push(
    farm: Farm, start_hosts: StartHosts, tmp_path: Path
) -> None:
    with FlakyApi(farm.cluster.url, lambda: None) as flaky:
        config = json.loads(farm.kubeconfig.read_text())
        config["clusters"][0]["cluster"]["server"] = flaky.url
        kubeconfig = tmp_path / "flaky.kubeconfig"
        kubeconfig.write_text(json.dumps(config))
        shop = Shop(farm, start_hosts(1, kubeconfig)[0])
        flaky.choose = lambda: Fault.BROKEN
        pushed: list[str] = []
        shop.crash_at("retry.planned", lambda: pushed.append(shop.push("1")))
        flaky.end_faults()
        shop.host.start()
        assert shop.end_of(pushed[0])["state"] == "succeeded"


def test_what_kills_three_workers_is_given_up_also_when_giving_up_is_cut_off(shop: Shop) -> None:
    pushed: list[str] = []
    shop.crash_at("step.claimed", lambda: pushed.append(shop.push("1")))
    shop.crash_at("step.claimed")
    shop.crash_at("sweep.before_commit")
    shop.crash_at("step.claimed")
    shop.crash_at("dead_letter.before")
    shop.host.start()
    ended = shop.end_of(pushed[0])
    assert (ended["state"], ended["reason"]) == ("failed", "worker_lost")
    assert shop.tag == "0"
    assert shop.deploy("2") and shop.tag == "2"
