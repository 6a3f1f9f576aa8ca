"""A change of strategy: what a push of the earlier one left is tidied up before the next begins.

The mark on the workload says which strategy that was and which Services it moved, so nobody has to
go back to the old config. Where the mark is lost, because people have made the workload anew, what
is left beside it says so. It is cleared step by step, under the same order of pushes as all else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from webhook_drivers.kubernetes.api.faults import Conflict
from webhook_drivers.kubernetes.api.resources import Json
from webhook_drivers.kubernetes.images.push import Push
from webhook_drivers.kubernetes.images.push_record import Record
from webhook_drivers.kubernetes.images.stopwatch import Stopwatch
from webhook_drivers.kubernetes.images.unfinished_mark import Mark, is_drained
from webhook_drivers.kubernetes.strategies.blue_green.strategy import BlueGreen
from webhook_drivers.kubernetes.strategies.canary.strategy import Canary, Weight
from webhook_drivers.kubernetes.strategies.recreate import Recreate
from webhook_drivers.kubernetes.strategies.second import traces
from webhook_drivers.kubernetes.strategies.second.traces import Traces
from webhook_drivers.kubernetes.strategies.strategy import Strategy, Task
from webhook_service import DriverError, Retry, Superseded, Wait

CLEARING = "clearing"
"""In the state of an execution that tidies up after another strategy."""
EARLIER: Mapping[str, Callable[..., Strategy[Any]]] = {
    "blueGreen": lambda **services: BlueGreen(keep_seconds=0, **services),
    "canary": lambda **services: Canary(steps=(Weight(weight=100),), **services),
}
"""The strategies that keep something beside a workload, as far as tidying up needs them."""


def earlier(task: Task, obj: Json, strategy: Strategy[Any]) -> Strategy[Any] | None:
    """The other strategy by which a push of the same repository was begun and not ended.

    Also the same strategy, where it moved other Services than it would now.
    """
    push, found = task.push, Mark.read(obj)
    if strategy.type != "recreate" and is_drained(obj, push.repository):
        return Recreate()
    if found.strategy and found.repository != push.repository:
        return None
    left: Traces | None = Traces(found.strategy, found.services)
    if not found.services and (_is_new(push, obj) or found.strategy not in ("", strategy.type)):
        left = traces.find(task.cluster, push.address, obj, found.strategy)
    if left is None or left == Traces(strategy.type, strategy.services):
        return None
    make = EARLIER.get(left.strategy)
    if make is None or not left.services:
        return None
    return make(**dict(zip(("service", "preview"), left.services, strict=False)))


def _is_new(push: Push, obj: Json) -> bool:
    """Whether nothing of ours is written on the workload: we may have changed its forerunner."""
    return not Mark.read(obj).strategy and push.record(obj) == Record()


def is_under_way(push: Push) -> bool:
    """Whether this execution has begun to tidy up."""
    return CLEARING in push.context.state


@dataclass(frozen=True, slots=True)
class Takeover:
    """Tidies up after an earlier strategy.

    Args:
        timeout: watched seconds that it may take.
    """

    task: Task
    earlier: Strategy[Any]
    timeout: float

    def step(self) -> Wait | None:
        """Do the next step; None when nothing is left.

        Raises:
            DriverError: it is not possible; the message says what is left.
            Conflict, Retry, Superseded: see ``Strategy``.
        """
        watch = self._watch()
        if watch is None:
            # Remembered first: killed at the very end of it, the push itself is still to begin.
            now = self.task.now()
            return self._wait(Stopwatch(now, now), "beginning", 0.0)
        try:
            seen = self.earlier.clear(self.task, self.earlier.look(self.task), watch.elapsed)
        except (Conflict, Retry, Superseded):
            raise
        except DriverError as error:
            raise self._failed(error.message) from error
        if seen is None:
            return None
        if watch.elapsed >= self.timeout:
            raise self._failed(f"it did not come to rest within {self.timeout:g} s, {seen.message}")
        return self._wait(watch, seen.message, seen.after)

    def _watch(self) -> Stopwatch | None:
        found = self.task.push.context.state.get(CLEARING)
        return Stopwatch.read(found, self.task.now()) if isinstance(found, Mapping) else None

    def _wait(self, watch: Stopwatch, message: str, after: float | None) -> Wait:
        pause = watch.pause if after is None else after
        said = f"tidying up after the strategy {self.earlier.type}: {message}"
        return Wait(pause, {CLEARING: watch.as_json()}, said)

    def _failed(self, why: str) -> DriverError:
        left = self.earlier.left(self.task)
        message = (
            f"A {self.earlier.type} push to {self.task.push.address} was not brought to its end, "
            f"and could not be tidied up: {why.rstrip('.')}. {left}"
        )
        return DriverError(message.rstrip(), code="unfinished")
