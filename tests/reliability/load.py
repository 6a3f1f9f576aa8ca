"""Senders: they call as registries do, again until there is an answer, and keep what was said."""

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Self

import httpx

from tests.reliability.farm import REPOSITORY
from webhook_service.testing.samples import dockerhub_push

WINDOW = 8
PATIENCE = 60.0


@dataclass(frozen=True)
class Push:
    """The n-th push to a target; ``moment`` is the sender's time, and orders them."""

    target: str
    number: int
    moment: datetime

    @property
    def image(self) -> str:
        return f"docker.io/{REPOSITORY}:{self.number}"


def pushes(targets: Sequence[str], count: int, seed: int, after: int = 0) -> list[Push]:
    """So many pushes over the targets, each up to eight places from its place in the order.

    Args:
        after: how many there were before; these are newer.
    """
    start = datetime.now(UTC) - timedelta(days=1)
    every = [
        Push(targets[i % len(targets)], i // len(targets) + 1, start + timedelta(seconds=i))
        for i in range(after, after + count)
    ]
    choose = random.Random(seed)
    places = {push: place + choose.uniform(0, WINDOW) for place, push in enumerate(every)}
    return sorted(every, key=places.__getitem__)


@dataclass
class Load:
    """Use as a context manager: sends while the block runs; ``wait`` until all is answered.

    Args:
        urls: the endpoint of each target, one URL per host that may take the call.
        rate: pushes per second, over all senders.

    Attributes:
        accepted: the pushes that were answered with 2xx; ``refused`` counts the other answers.
    """

    urls: dict[str, Sequence[str]]
    pushes: Sequence[Push]
    rate: float
    senders: int = 8
    accepted: list[Push] = field(default_factory=list)
    executions: set[str] = field(default_factory=set)
    refused: dict[int, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0
        self._ended = False
        self._threads = [threading.Thread(target=self._send) for _ in range(self.senders)]

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._ended = kind is not None
        self.wait()

    @property
    def going(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def finish(self) -> None:
        """Begin no more pushes."""
        with self._lock:
            self.pushes = self.pushes[: self._next]

    def wait(self) -> None:
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        with httpx.Client(timeout=5) as client:
            while (push := self._take()) is not None:
                self._deliver(client, push)

    def _take(self) -> Push | None:
        with self._lock:
            if self._ended or self._next == len(self.pushes):
                return None
            number = self._next
            self._next += 1
        time.sleep(max(0.0, self._started + number / self.rate - time.monotonic()))
        return self.pushes[number]

    def _deliver(self, client: httpx.Client, push: Push) -> None:
        body = dockerhub_push(REPOSITORY, str(push.number), pushed_at=push.moment)
        deadline = time.monotonic() + PATIENCE
        turn = push.number
        while time.monotonic() < deadline and not self._ended:
            urls = self.urls[push.target]
            try:
                answer = client.post(urls[turn % len(urls)], content=body)
            except httpx.HTTPError:
                answer = None
            if answer is not None and answer.status_code == 200:
                return self._keep(push, answer.json()["executions"])
            if answer is not None:
                with self._lock:
                    self.refused[answer.status_code] = self.refused.get(answer.status_code, 0) + 1
            turn += 1
            time.sleep(0.05)
        self.failed.append(f"{push.target} {push.number}")

    def _keep(self, push: Push, executions: list[str]) -> None:
        with self._lock:
            self.accepted.append(push)
            self.executions.update(executions)
