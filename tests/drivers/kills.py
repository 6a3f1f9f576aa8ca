"""A connection that dies at a chosen call, as a process that is killed there."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from tests.drivers.steps import Clock
from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.clusters import Clusters
from webhook_drivers.kubernetes.api.transport import ApiReply, ApiRequest
from webhook_drivers.kubernetes.drivers.base import ClusterDriver
from webhook_service import Context, DriverError, Outcome, PushEvent, Wait
from webhook_service.testing import FakeCluster

MAX_CALLS = 60
WAYS = [False, True]
"""Before the cluster sees the call, or after it did what was asked."""


class Killed(BaseException):
    """Not an Exception: nothing that the driver catches may catch it."""


class Deadly:
    """A transport that counts its calls, and dies at one of them.

    Args:
        at: the number of the call, from 1; 0 for none.
        sent: whether the call still reaches the server, and only its answer is lost.
    """

    def __init__(self, transport: Any, at: int, sent: bool) -> None:
        self._transport, self._at, self._sent = transport, at, sent
        self.calls = 0

    def exchange(self, ask: ApiRequest) -> ApiReply:
        self.calls += 1
        if self.calls == self._at and not self._sent:
            raise Killed
        reply: ApiReply = self._transport.exchange(ask)
        if self.calls == self._at:
            raise Killed
        return reply

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class DeadlyClusters(Clusters):
    """Connections of one process that can be armed with a kill, and count their calls."""

    armed: Deadly | None = None

    @classmethod
    def to(cls, fake: FakeCluster, folder: Path) -> Self:
        return cls({"kubeconfig": str(fake.write_kubeconfig(folder / "deadly.kubeconfig"))})

    def arm(self, at: int, sent: bool) -> None:
        self.armed = None
        self.armed = Deadly(self.get().transport, at, sent)

    def get(self, name: str | None = None, project: str = "", *, shared: bool = False) -> Cluster:
        cluster = super().get(name, project, shared=shared)
        return replace(cluster, transport=self.armed) if self.armed else cluster


@dataclass
class Run:
    """One push, as an engine brings it to its end in a process that is killed once."""

    driver: ClusterDriver[Any, Any]
    settings: Any
    event: PushEvent
    context: Context
    clock: Clock
    keeps_state: bool
    killed: bool = False

    def to_the_end(self) -> Outcome | DriverError:
        deadline = time.monotonic() + 60
        while True:
            assert time.monotonic() < deadline, self.context.state
            try:
                outcome = self.driver.execute(self.settings, self.event, self.context)
            except Killed:
                self.killed = True
                state = self.context.state if self.keeps_state else {}
                self.context = replace(self.context, state=state)
                continue
            except DriverError as error:
                return error
            if not isinstance(outcome, Wait):
                return outcome
            self.context = replace(self.context, state=outcome.state)
            self._hurry(outcome)
            time.sleep(0.02)

    def _hurry(self, waiting: Wait) -> None:
        """A push that can only fail runs out of time as soon as it waits for its pods."""
        back = waiting.message.startswith("rolling back")
        pods = "new pods are" in waiting.message or "are ready" in waiting.message
        if "bad" in (self.event.tag or "") and pods and not back:
            self.clock.ahead += 21


@dataclass
class Kill:
    """One way to die, and the driver that suffers it."""

    make: Callable[..., ClusterDriver[Any, Any]]
    clusters: DeadlyClusters
    happened: bool = False

    def run(self, config: Any, event: Any, context: Context) -> Outcome:
        """Run an execution to its end, in new processes with the state that was recorded last."""
        deadline, message = time.monotonic() + 60, ""
        while True:
            assert time.monotonic() < deadline, message
            try:
                outcome = self.make(clusters=self.clusters).execute(config, event, context)
            except Killed:
                self.happened = True
                continue
            if not isinstance(outcome, Wait):
                return outcome
            context, message = replace(context, state=outcome.state), outcome.message
            time.sleep(0.02)


@contextmanager
def killed(
    fake: FakeCluster, folder: Path, make: Callable[..., Any], at: int, after: bool
) -> Iterator[Kill]:
    """A driver that dies at its n-th call."""
    with closing(DeadlyClusters.to(fake, folder)) as clusters:
        clusters.arm(at, after)
        yield Kill(make, clusters)
