"""StubDriver: a driver that does what a test tells it to, and remembers how it was called."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from webhook_service.driver import (
    Context,
    Done,
    DriverConfig,
    Outcome,
    PushEvent,
    WebhookDriver,
)
from webhook_service.errors import InvalidConfig

Step = Outcome | BaseException | Callable[[PushEvent, Context], Outcome]


def sample_context(**fields: Any) -> Context:
    """The context of a first attempt, as a service gives it; ``fields`` replace what it says."""
    values: dict[str, Any] = {
        "project": "1a5",
        "receiver": "rcv_019300000000700080000000000000a1",
        "delivery": "dlv_019300000000700080000000000000a2",
        "execution": "exe_019300000000700080000000000000a3",
        "identity": "dockerhub:docker.io/acme/shop:1.2.3",
        "order_key": "00001732536000000000.00000000000000000001",
        "named": False,
        "attempt": 1,
        "shared": False,
    }
    return Context(**(values | fields))


class StubConfig(DriverConfig):
    """``target`` names the slot; ``valid`` decides whether ``validate`` accepts the config."""

    target: str = "stub"
    valid: bool = True


@dataclass(frozen=True, slots=True)
class StubCall:
    """One call of ``execute``."""

    config: StubConfig
    event: PushEvent
    context: Context


class StubDriver(WebhookDriver[StubConfig]):
    """Gives the prepared outcomes in turn, and ``Done`` when there are none left.

    ``steps`` takes outcomes to return, exceptions to raise, and functions to call.
    """

    Config = StubConfig

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(options)
        self.steps: list[Step] = []
        self.calls: list[StubCall] = []
        self.closed = False
        self._lock = threading.Lock()

    def validate(self, config: StubConfig, context: Context) -> None:
        if not config.valid:
            raise InvalidConfig("The stub was told to refuse this config.")

    def slot(self, config: StubConfig, event: PushEvent) -> str:
        return config.target

    def targets(self, config: StubConfig, context: Context) -> tuple[str, ...]:
        return (f"stub/tests/Stub/{config.target}",)

    def execute(self, config: StubConfig, event: PushEvent, context: Context) -> Outcome:
        with self._lock:
            self.calls.append(StubCall(config, event, context))
            step = self.steps.pop(0) if self.steps else Done(message="the stub is done")
        if isinstance(step, BaseException):
            raise step
        return step(event, context) if callable(step) else step

    def close(self) -> None:
        self.closed = True
