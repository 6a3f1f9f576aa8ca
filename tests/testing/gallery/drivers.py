"""Bad drivers. Each has one fault, and the sentence by which the kit must name it."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import ConfigDict, field_serializer

from tests.testing.gallery.bad import Bad
from tests.testing.gallery.good import SHELVES, GoodDriver, ShelfConfig
from webhook_service import (
    Change,
    Context,
    Done,
    DriverConfig,
    DriverError,
    Outcome,
    Plan,
    PushEvent,
    Wait,
    WebhookDriver,
)

log = logging.getLogger(__name__)


class OpenConfig(ShelfConfig):
    model_config = ConfigDict(extra="ignore")


class TakesAnyField(GoodDriver):
    Config = OpenConfig


class TextConfig(DriverConfig):
    shelf: str
    token: str


class SecretAsText(GoodDriver):
    Config = TextConfig


class LossyConfig(ShelfConfig):
    @field_serializer("shelf")
    def _short(self, value: str) -> str:
        return value[:5]


class LosesItsConfig(GoodDriver):
    Config = LossyConfig


class ValidateWrites(GoodDriver):
    def validate(self, config: ShelfConfig, context: Context) -> None:
        super().validate(config, context)
        SHELVES[config.shelf].put(label="tried")


class PlanWrites(GoodDriver):
    def plan(self, config: ShelfConfig, event: PushEvent, context: Context) -> Plan:
        SHELVES[config.shelf].put(order=context.identity)
        return super().plan(config, event, context)


class PlansSomethingElse(GoodDriver):
    def plan(self, config: ShelfConfig, event: PushEvent, context: Context) -> Plan:
        return Plan(self.missing(config, event)[:1])


class SlotWithTime(GoodDriver):
    def slot(self, config: ShelfConfig, event: PushEvent) -> str:
        return f"{config.shelf}-{time.time()}"


class SlotByHash(GoodDriver):
    def slot(self, config: ShelfConfig, event: PushEvent) -> str:
        return f"shelf-{hash(config.shelf)}"


class SlotThatAsks(GoodDriver):
    def slot(self, config: ShelfConfig, event: PushEvent) -> str:
        with open("/dev/null", encoding="utf-8") as file:
            return f"{config.shelf}{file.read()}"


class DoesItTwice(GoodDriver):
    def execute(self, config: ShelfConfig, event: PushEvent, context: Context) -> Outcome:
        SHELVES[config.shelf].notes.append(event.image)
        return super().execute(config, event, context)


class LooksAtTheFirstPartOnly(GoodDriver):
    def missing(self, config: ShelfConfig, event: PushEvent) -> tuple[Change, ...]:
        found = super().missing(config, event)
        return () if SHELVES[config.shelf].image == event.image else found


class DoneTooEarly(GoodDriver):
    def put(self, config: ShelfConfig, event: PushEvent, context: Context) -> None:
        SHELVES[config.shelf].put(order=context.order_key, image=event.image)


class ChangesThatLie(GoodDriver):
    def execute(self, config: ShelfConfig, event: PushEvent, context: Context) -> Outcome:
        found = super().execute(config, event, context)
        return Done(found.changes[:1]) if isinstance(found, Done) else found


class WaitsForEver(GoodDriver):
    def execute(self, config: ShelfConfig, event: PushEvent, context: Context) -> Outcome:
        super().execute(config, event, context)
        return Wait(0.05, {"looks": 1}, "looking for what never comes")


class OlderWins(GoodDriver):
    def execute(self, config: ShelfConfig, event: PushEvent, context: Context) -> Outcome:
        SHELVES[config.shelf].order = ""
        return super().execute(config, event, context)


class KeepsTheEventOnItself(GoodDriver):
    event: PushEvent | None = None

    def execute(self, config: ShelfConfig, event: PushEvent, context: Context) -> Outcome:
        self.event = event
        return super().execute(config, event, context)

    def put(self, config: ShelfConfig, event: PushEvent, context: Context) -> None:
        assert self.event is not None
        super().put(config, self.event, context)


class LeavesAThread(GoodDriver):
    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(options)
        self.thread = threading.Thread(target=time.sleep, args=(30,), daemon=True, name="watcher")
        self.thread.start()


class LeavesASocket(GoodDriver):
    kept: list[socket.socket] = []

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(options)
        self.kept.append(socket.socket())


class RaisesWhatItLikes(GoodDriver):
    def put(self, config: ShelfConfig, event: PushEvent, context: Context) -> None:
        try:
            super().put(config, event, context)
        except ConnectionError:
            raise KeyError("shelf") from None


class CannotDoWithoutATag(GoodDriver):
    def missing(self, config: ShelfConfig, event: PushEvent) -> tuple[Change, ...]:
        assert event.tag is not None
        return super().missing(config, event)


class SaysNul(GoodDriver):
    def execute(self, config: ShelfConfig, event: PushEvent, context: Context) -> Outcome:
        found = super().execute(config, event, context)
        return replace(found, message="done\0") if isinstance(found, Done) else found


class TellsTheSecret(GoodDriver):
    def put(self, config: ShelfConfig, event: PushEvent, context: Context) -> None:
        try:
            super().put(config, event, context)
        except ConnectionError as exc:
            raise DriverError(f"The shelf says: {exc}.") from exc


class LogsTheSecret(GoodDriver):
    def put(self, config: ShelfConfig, event: PushEvent, context: Context) -> None:
        log.warning("calling with %s", config.token.get_secret_value())
        super().put(config, event, context)


class StateThatChanges(GoodDriver):
    def execute(self, config: ShelfConfig, event: PushEvent, context: Context) -> Outcome:
        if not context.state:
            return Wait(0.05, {"seen": (1, 2)})
        return super().execute(config, event, context)


class ReturnsNothing(GoodDriver):
    def execute(self, config: ShelfConfig, event: PushEvent, context: Context) -> Outcome:
        super().execute(config, event, context)
        return None  # type: ignore[return-value]


class AcceptsEveryShelf(GoodDriver):
    def validate(self, config: ShelfConfig, context: Context) -> None:
        return None


class BlocksItsLoop(WebhookDriver[ShelfConfig]):
    Config = ShelfConfig

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(options)
        self.good = GoodDriver(options)

    async def execute(self, config: ShelfConfig, event: PushEvent, context: Context) -> Outcome:
        await asyncio.sleep(0.02)
        time.sleep(0.7)
        return self.good.execute(config, event, context)


class Hangs(GoodDriver):
    def execute(self, config: ShelfConfig, event: PushEvent, context: Context) -> Outcome:
        time.sleep(20)
        return super().execute(config, event, context)


BAD = [
    Bad(TakesAnyField, "test_the_config_is_closed_and_has_a_schema", "OpenConfig takes any field"),
    Bad(
        SecretAsText, "test_secrets_are_never_shown", "token of TextConfig is called like a secret"
    ),
    Bad(
        LosesItsConfig,
        "test_configs_come_back_from_storage",
        "LossyConfig.shelf: does not come back",
    ),
    Bad(ValidateWrites, "test_validate_and_plan_change_nothing", "validate changes the target"),
    Bad(PlanWrites, "test_validate_and_plan_change_nothing", "plan changes the target"),
    Bad(PlansSomethingElse, "test_the_plan_is_what_execute_does", "plan announced"),
    Bad(SlotWithTime, "test_slot_only_computes", "slot uses the clock"),
    Bad(SlotByHash, "test_slot_only_computes", "slot uses hash()"),
    Bad(SlotThatAsks, "test_slot_only_computes", "slot uses a file"),
    Bad(DoesItTwice, "test_twice_is_once", "executing the same push again made it"),
    Bad(
        LooksAtTheFirstPartOnly,
        "test_a_killed_push_ends_as_if_it_were_not",
        "Killed after effect 2",
    ),
    Bad(
        DoneTooEarly,
        "test_a_push_is_done_when_the_target_shows_it",
        "target does not show the push",
    ),
    Bad(ChangesThatLie, "test_a_push_is_done_when_the_target_shows_it", "the changes say"),
    Bad(WaitsForEver, "test_a_push_is_done_when_the_target_shows_it", "execute still waits after"),
    Bad(OlderWins, "test_an_older_push_never_wins", "an older push that came after a newer one"),
    Bad(KeepsTheEventOnItself, "test_many_threads_share_one_driver", "not on the driver"),
    Bad(LeavesAThread, "test_close_leaves_nothing_behind", "these threads still run: watcher"),
    Bad(LeavesASocket, "test_close_leaves_nothing_behind", "still open: socket"),
    Bad(
        RaisesWhatItLikes, "test_a_target_that_fails_is_an_error_of_the_contract", "raised KeyError"
    ),
    Bad(CannotDoWithoutATag, "test_a_push_without_a_tag_harms_nobody", "raised AssertionError"),
    Bad(SaysNul, "test_twice_is_once", "characters that no database takes"),
    Bad(TellsTheSecret, "test_a_target_that_fails_is_an_error_of_the_contract", "shows a secret"),
    Bad(LogsTheSecret, "test_twice_is_once", "A line of the log shows a secret"),
    Bad(StateThatChanges, "test_twice_is_once", "comes back from JSON"),
    Bad(ReturnsNothing, "test_twice_is_once", "must return Done, Unchanged or Wait"),
    Bad(
        AcceptsEveryShelf,
        "test_bad_configs_are_refused_in_words",
        "is to be refused, and is accepted",
    ),
    Bad(BlocksItsLoop, "test_twice_is_once", "blocks its loop"),
    Bad(Hangs, "test_twice_is_once", "did not return in 0.5 s"),
]
