"""Calls a driver as an engine does, and holds each call to the contract."""

from __future__ import annotations

import asyncio
import inspect
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from webhook_service.driver import Context, Done, Outcome, Plan, Unchanged, Wait, WebhookDriver
from webhook_service.errors import DriverError, OutboundError, Retry, WebhookServiceError
from webhook_service.plugins.loop import PluginLoop
from webhook_service.testing.kit.driver_case import DriverCase, Event, FreshTarget
from webhook_service.testing.kit.faults import Fault, by_contract, require, shown, within
from webhook_service.testing.kit.watching import traced
from webhook_service.testing.kit.words import Words, secrets_in

RAISES = "raise Retry for what will pass, and DriverError for what will not"
MAX_WAIT = 3600.0
SLEEP = 0.05
# A loop that cannot do anything else for so long stands still for all other drivers.
MAX_BLOCKED = 0.5


@dataclass(frozen=True)
class Ended:
    """How an execution ended: with an outcome or an error, and what was said to have changed."""

    end: Outcome | DriverError
    changes: tuple[Any, ...]
    state: Mapping[str, Any]
    steps: int


class Trial:
    """One driver on one target, as one process runs it.

    Args:
        target: the target; a fresh one if left out.
        beside: another trial, with which it shares the driver and its loop; that one closes them.
    """

    def __init__(
        self,
        case: DriverCase,
        target: FreshTarget | None = None,
        beside: Trial | None = None,
    ) -> None:
        self.case = case
        self.target = target or case.target()
        self.driver: WebhookDriver[Any, Any] = beside.driver if beside else case.driver()
        self.loop: PluginLoop = beside.loop if beside else PluginLoop()
        self.config: Any = self.driver.Config.model_validate(dict(self.target.config))
        self.words = Words(secrets_in(self.config))
        self.state: Mapping[str, Any] = {}

    def close(self) -> None:
        """Close the driver as a service does."""
        done = by_contract("close()", "it must not raise", self.driver.close)
        if inspect.isawaitable(done):
            self.loop.run(done, self.case.step_seconds)
        self.loop.close()

    def run(self, number: int, tracer: Any = None, **context: Any) -> Ended:
        """Bring an event to its end; ``self.state`` is what the last wait carried.

        Raises:
            Killed: the tracer ended the driver.
            Fault: the driver broke its contract.
        """
        event = self.case.events[number]
        about = replace(self.case.context_of(number), **context)
        deadline = time.monotonic() + self.case.total_seconds
        changes: tuple[Any, ...] = ()
        steps = 0
        while True:
            steps += 1
            about = replace(about, state=self.state)
            found = self.step(event, about, tracer)
            changes = getattr(found, "changes", ()) or changes
            if not isinstance(found, Wait):
                return Ended(found, tuple(changes), self.state, steps)
            self.state = found.state
            require(
                time.monotonic() < deadline,
                f"execute still waits after {steps} calls and {self.case.total_seconds:g} s "
                f"({shown(found.message)}): let every wait end, with an error where need be.",
            )
            time.sleep(min(found.after, SLEEP))

    def step(self, event: Event, context: Context, tracer: Any = None) -> Outcome | DriverError:
        """Call ``execute`` once, and check what it says."""
        with self.words.check_logs():
            try:
                found = by_contract(
                    "execute",
                    RAISES,
                    lambda: within(
                        self.case.step_seconds, "execute", self._execute, event, context, tracer
                    ),
                )
            except OutboundError as error:
                self.words.check("The message of OutboundError", error.message, empty=False)
                return Retry(error.message) if error.transient else DriverError(error.message)
            except DriverError as error:
                self.words.check(
                    f"The message of {type(error).__name__}", error.message, empty=False
                )
                self.words.check_changes(f"The changes of {type(error).__name__}", error.changes)
                return error
            except WebhookServiceError as error:
                raise Fault(f"execute raised {type(error).__name__}: {RAISES}.") from error
        self._check(found)
        return found

    def _execute(self, event: Event, context: Context, tracer: Any) -> Outcome:
        if not inspect.iscoroutinefunction(self.driver.execute):
            with traced(tracer):
                return self.driver.execute(self.config, event, context)  # type: ignore[return-value]
        return self.loop.run(
            self._awaited(self.driver.execute(self.config, event, context), tracer)
        )

    async def _awaited(self, work: Any, tracer: Any) -> Outcome:
        """Await a driver while something else on its loop looks whether it still comes round."""
        blocked = Counter[str]()
        other = asyncio.create_task(_heartbeat(blocked))
        await asyncio.sleep(0)
        before = sys.gettrace()
        sys.settrace(tracer)
        try:
            found: Outcome = await work
            await asyncio.sleep(0.02)
        finally:
            sys.settrace(before)
            other.cancel()
        require(
            tracer is not None or not blocked,
            f"execute is async and blocks its loop for more than {MAX_BLOCKED:g} s, so that all "
            "other asynchronous drivers stand still: await what takes time, or write a plain def.",
        )
        return found

    def _check(self, found: object) -> None:
        if not isinstance(found, Done | Unchanged | Wait):
            raise Fault(
                f"execute returned {shown(found)}, and must return Done, Unchanged or Wait."
            )
        kind = type(found).__name__
        if isinstance(found, Unchanged):
            return self.words.check("The reason of Unchanged", found.reason, empty=False)
        self.words.check(f"The message of {kind}", found.message)
        self.words.check_changes(f"The changes of {kind}", found.changes)
        if isinstance(found, Wait):
            after = found.after
            number = isinstance(after, int | float) and not isinstance(after, bool)
            require(
                number and 0 <= after <= MAX_WAIT,
                f"Wait.after is {after!r}: give seconds between 0 and {MAX_WAIT:g}.",
            )
            self.words.check_state(found.state)

    def plan(self, number: int) -> Plan:
        """Ask what an event would change, and check what is said."""
        about = Context.without_execution(
            "1a5",
            "rcv_kit",
            shared=False,
            identity=self.case.context_of(number).identity,
            named=True,
        )
        found = self.asked("plan", self.config, self.case.events[number], about)
        require(isinstance(found, Plan), f"plan returned {shown(found)}, and must return a Plan.")
        self.words.check_changes("The changes of Plan", found.changes)
        for note in found.notes:
            self.words.check("A note of Plan", note, empty=False)
        return found  # type: ignore[no-any-return]

    def warnings(self, context: Context) -> None:
        """Ask what people should know of the config."""
        for sentence in self.asked("warnings", self.config, context):
            self.words.check("A warning", sentence, empty=False)

    def asked(self, name: str, *values: Any) -> Any:
        """Call another method of the driver, in time and by contract."""
        method = getattr(self.driver, name)
        allowed = "it may raise InvalidConfig and what execute may"
        found = by_contract(
            name, allowed, lambda: within(self.case.step_seconds, name, method, *values)
        )
        require(
            not isinstance(found, Awaitable), f"{name} is async: only execute and close may be."
        )
        return found


async def _heartbeat(blocked: Counter[str]) -> None:
    last = time.monotonic()
    while True:
        await asyncio.sleep(0.01)
        if (now := time.monotonic()) - last > MAX_BLOCKED:
            blocked["times"] += 1
        last = now
