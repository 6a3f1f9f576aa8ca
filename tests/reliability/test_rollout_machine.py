"""Whatever people, GitOps and crashes do during rollouts, the cluster comes to rest and heals.

Random sequences of pushes, interventions, changes by hand, restarts of the service and workers that
die at failpoints run against the fake cluster. Then all is let come to an end: what the last
execution says of the cluster must be so, and a last good push must find its way.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.contract.client import Client
from tests.drivers.steps import LABELS
from tests.drivers.strategies.colours import OURS, Shop
from tests.support import PROJECT, push, sqlite_url, wait_for
from webhook_drivers.kubernetes.images.unfinished_mark import UNFINISHED
from webhook_service import Execution, Settings, WebhookService, failpoints
from webhook_service.engine import judge
from webhook_service.errors import InvalidRequest
from webhook_service.model.execution import ENDED
from webhook_service.model.history.revision import Standing
from webhook_service.model.pages import PageRequest
from webhook_service.testing import FakeCluster

SECOND: dict[str, Any] = {"service": "shop"}
STRATEGIES: dict[str, dict[str, Any]] = {
    "rolling": {"type": "rolling"},
    "blueGreen": {"type": "blueGreen", "keepSeconds": 1, **SECOND},
    "canary": {"type": "canary", "steps": [{"weight": 50, "pauseSeconds": 1}], **SECOND},
}
REST_SECONDS = 90.0
LEASE_SECONDS = 3.0
RUNS = re.compile(r"(?:pods run|rolled back to|\d/shop runs|already runs) (\S+?)(?:[:.,]? |[.:]?$)")
"""What a message says of the image that runs."""


class Killed(BaseException):
    """Not an Exception: nothing of the service may catch it and go on, as after kill -9."""


class Kills:
    """Lets the worker die that comes to the n-th failpoint from now, wherever in a step that is.

    Nothing is recorded of its step: its lease runs out, and another worker takes over.
    """

    def __init__(self) -> None:
        self._left = 0
        self._lock = threading.Lock()
        self.count = 0

    def arm(self, left: int) -> None:
        self._left = left

    def get(self, name: str) -> "Kills | None":
        worker = threading.current_thread().name.startswith("engine-worker")
        return self if self._left and worker and not name.startswith("writer.") else None

    def reach(self) -> None:
        with self._lock:
            self._left = max(self._left - 1, 0)
            if self._left:
                return
            self.count += 1
        raise Killed


class World:
    """One cluster and one database for all sequences, and the service that is restarted."""

    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        self.fake = self._stack.enter_context(FakeCluster())
        self.kubeconfig = self.fake.write_kubeconfig(folder / "kubeconfig")
        self.client = self._stack.enter_context(Client(self.kubeconfig))
        self._settings = Settings(
            database_url=sqlite_url(folder),
            kubeconfig=self.kubeconfig,
            lease_seconds=LEASE_SECONDS,
        )
        self.kills = Kills()
        self.numbers = count(1)
        self.start()

    def start(self) -> None:
        self.service = WebhookService.open(self._settings)
        # Hypothesis moves the recursion limit in its thread, and CPython 3.11 takes that for a
        # fault of what another thread parses: so no worker loads the driver.
        self.service.drivers.get("deploymentUpdate")
        self.service.start()

    def restart(self) -> None:
        self.service.stop()
        self.start()

    def close(self) -> None:
        self.service.stop()
        self._stack.close()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path)
    monkeypatch.setattr(failpoints, "_armed", lambda: world.kills)
    monkeypatch.setattr(judge, "is_for_us", lambda exc: isinstance(exc, Killed))
    # It tells the traceback of each worker that dies.
    monkeypatch.setattr(logging.getLogger("webhook_service.engine.threads"), "disabled", True)
    yield world
    world.close()


class RolloutMachine(RuleBasedStateMachine):
    """What happens to one workload and its Service."""

    world: World

    @initialize(strategy=st.sampled_from(sorted(STRATEGIES)))
    def begin(self, strategy: str) -> None:
        number = next(self.world.numbers)
        print(f"sequence {number}", flush=True)
        self.namespace, self.tags, self.wanted = f"rest-{number}", count(2), 3
        self.by_hand = False
        self.world.kills.arm(0)
        client = self.world.client
        client.ok("POST", "/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        self.shop = Shop(client, self.world.kubeconfig, self.namespace)
        self.shop.start(progressDeadlineSeconds=1)
        own = {"namespace": self.namespace, "name": "shop", "timeoutSeconds": 4}
        self.config = {**own, "strategy": STRATEGIES[strategy]}
        body = {"name": self.namespace, "driver": "deploymentUpdate"}
        made = self.service.create_receiver(PROJECT, body | {"deploymentUpdateConfig": self.config})
        self.receiver = made.id
        self.key = self.service.receiver_key(PROJECT, made.id)

    @property
    def service(self) -> WebhookService:
        return self.world.service

    @rule(kind=st.sampled_from(("good", "good", "bad")))
    def push(self, kind: str) -> None:
        prefix = "bad-" if kind == "bad" else ""
        self.by_hand = False
        push(self.service, self.key, f"{prefix}{next(self.tags)}", pushed_at=None)

    @rule(seconds=st.sampled_from((0.1, 0.6, 1.5)))
    def wait(self, seconds: float) -> None:
        time.sleep(seconds)

    @rule()
    def abort(self) -> None:
        self.intervene(lambda id_: self.service.interventions.abort(PROJECT, id_))

    @rule(force=st.booleans())
    def cancel(self, force: bool) -> None:
        self.intervene(lambda id_: self.service.interventions.cancel(PROJECT, id_, force=force))

    @rule()
    def roll_back(self) -> None:
        try:
            self.service.interventions.roll_back(PROJECT, self.receiver)
        except InvalidRequest as refused:
            assert refused.message.endswith("."), refused.message

    @rule(replicas=st.sampled_from((2, 4)))
    def scale(self, replicas: int) -> None:
        self.wanted = replicas
        self.shop.patch("Deployment", {"spec": {"replicas": replicas}})

    @rule()
    def set_image(self) -> None:
        self.by_hand = True
        pod = {"containers": [{"name": "app", "image": f"acme/shop:hand-{next(self.tags)}"}]}
        self.shop.patch("Deployment", {"spec": {"template": {"spec": pod}}})

    @rule()
    def make_the_deployment_anew(self) -> None:
        self.shop.client.ok("DELETE", self.shop._path("Deployment", "shop"))
        wait_for(lambda: self.shop.find("Deployment", "shop") is None)
        self.wanted, self.by_hand = 3, True
        self.shop.create(progressDeadlineSeconds=1)

    @rule()
    def make_the_service_anew(self) -> None:
        self.shop.client.ok("DELETE", self.shop._path("Service", "shop"))
        self.shop.service("shop")

    @rule(strategy=st.sampled_from(sorted(STRATEGIES)))
    def change_the_strategy(self, strategy: str) -> None:
        self.config = {**self.config, "strategy": STRATEGIES[strategy]}
        changes = {"deploymentUpdateConfig": self.config}
        self.service.update_receiver(PROJECT, self.receiver, changes)

    @precondition(lambda self: self.executions)
    @rule()
    def restart(self) -> None:
        self.world.restart()

    @precondition(lambda self: self.executions)
    @rule(failpoints=st.integers(1, 8))
    def kill_a_worker(self, failpoints: int) -> None:
        self.world.kills.arm(failpoints)

    @property
    def executions(self) -> list[Execution]:
        page = PageRequest(limit=200, filters={"receiver": self.receiver})
        return list(self.service.list_executions(PROJECT, page).items)

    def intervene(self, act: Callable[[str], object]) -> None:
        """With the oldest that has not ended, if there is one."""
        for each in reversed(self.executions):
            if each.state not in ENDED:
                try:
                    act(each.id)
                except InvalidRequest as refused:
                    assert refused.message.endswith("."), refused.message
                return

    def teardown(self) -> None:
        if not hasattr(self, "key"):
            return
        self.come_to_rest()
        self.world.kills.arm(0)
        self.assert_true()
        tag = f"{next(self.tags)}"
        (last,) = push(self.service, self.key, tag, pushed_at=None).executions
        self.come_to_rest()
        ended = self.service.get_execution(PROJECT, last)
        assert ended.state == "succeeded", (ended.state, ended.reason, ended.message)
        self.assert_at_rest(f"acme/shop:{tag}")
        revisions = self.service.interventions.history(PROJECT, self.receiver)
        newest = next(each for each in revisions if each.standing)
        assert (newest.execution.id, newest.standing) == (last, Standing.LIVE), newest.note

    def come_to_rest(self) -> None:
        deadline = time.monotonic() + REST_SECONDS
        while open_ := [each for each in self.executions if each.state not in ENDED]:
            said = [(each.id, each.state, each.message) for each in open_]
            assert time.monotonic() < deadline, said
            time.sleep(0.1)
        for each in self.executions:
            assert each.message, (each.id, each.state)
            assert each.reason != "driver_crashed", each.message
            assert not (each.changes and "Nothing was changed" in each.message), each.message

    def assert_true(self) -> None:
        """What the execution that ended last says of the image that runs is so."""
        ended = sorted(self.executions, key=lambda each: str(each.finished))
        if not ended or self.by_hand:
            return
        said = RUNS.findall(ended[-1].message)
        if said and "somebody else" not in ended[-1].message:
            runs = self.shop.image().removeprefix("docker.io/")
            assert said[-1].removeprefix("docker.io/") == runs, (runs, ended[-1].message)

    def assert_at_rest(self, image: str) -> None:
        found = self.shop.get("Deployment")
        noted = found["metadata"].get("annotations") or {}
        assert (self.shop.image(), found["spec"]["replicas"]) == (image, self.wanted)
        assert UNFINISHED not in noted and not any("replicas" in key for key in noted), noted
        assert self.shop.selector() == LABELS and OURS[0] not in self.shop.selector()
        for second in ("shop-green", "shop-canary"):
            assert self.shop.find("Deployment", second) is None
        wait_for(lambda: self.shop.ready() == self.wanted, 20)


@pytest.mark.timeout(7200)
def test_after_any_sequence_of_events_a_good_push_finds_all_well(world: World, long: bool) -> None:
    examples, steps = (1000, 12) if long else (3, 6)
    run_state_machine_as_test(
        type("Machine", (RolloutMachine,), {"world": world}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=not long,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        ),
    )
    # Each sequence ends with a push that finds all well.
    assert next(world.numbers) > examples
