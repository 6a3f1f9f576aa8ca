"""What an author brings for a driver: how to make it, pushes, and fresh targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from webhook_service.driver import Context, PushEvent, Request, WebhookDriver
from webhook_service.testing.stub import sample_context

Event = PushEvent | Request


def _nothing() -> object:
    return None


@dataclass(frozen=True, kw_only=True)
class FreshTarget:
    """One thing that a driver changes, as it is before any push.

    Attributes:
        config: the config of a receiver for this target, in JSON.
        look: what people can see of the target, by names that are the same for every target.
            Leave out what changes by itself, such as times.
        has: whether the target shows what a push asks for.
        marks: what the driver writes there besides, such as the order of the push.
        fail: from now on the target refuses every call; without it, that is not tried.
    """

    config: Mapping[str, Any]
    look: Callable[[], Mapping[str, str | None]]
    has: Callable[[Any], bool]
    marks: Callable[[], object] = _nothing
    fail: Callable[[], object] | None = None

    def whole(self) -> tuple[Mapping[str, str | None], object]:
        """All that the driver may change, to compare."""
        return dict(self.look()), self.marks()


@dataclass(frozen=True, kw_only=True)
class DriverCase:
    """What the kit needs to try a driver.

    Attributes:
        driver: makes the driver, as each process does; give it its options here.
        target: makes a fresh target. The kit makes dozens, so it should be fast.
        events: two or more pushes (or requests), the oldest first. Each is to change the target.
        ordered: whether the target keeps one push, the newest. False where each push is an action
            of its own, such as a Job or a message: then none is older than another.
        bad_configs: configs that must be refused.
        context: fields of ``Context`` that the driver needs otherwise than usual.
        step_seconds: how long one call of the driver may take.
        total_seconds: how long a push may take with all its waits.
    """

    driver: Callable[[], WebhookDriver[Any, Any]]
    target: Callable[[], FreshTarget]
    events: Sequence[Event]
    ordered: bool = True
    bad_configs: Sequence[Mapping[str, Any]] = ()
    context: Mapping[str, Any] = field(default_factory=dict)
    step_seconds: float = 30.0
    total_seconds: float = 60.0

    @property
    def keeps_newest(self) -> bool:
        """Whether a push that is done needs no second one; every request does its work again."""
        return self.ordered and isinstance(self.events[0], PushEvent)

    def context_of(self, number: int) -> Context:
        """Where an event comes from; a higher number is a newer push."""
        identity = f"{number + 1:032x}"
        values: dict[str, Any] = {
            "identity": f"kit:push-{number + 1}",
            "order_key": f"{number + 1:020}.{number + 1:020}",
            "delivery": f"dlv_{identity}",
            "execution": f"exe_{identity}",
            "named": True,
        }
        return sample_context(**(values | dict(self.context)))
