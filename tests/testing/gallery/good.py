"""A driver without a fault, from which each bad one differs in one place, and its target."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from itertools import count
from typing import Any

from webhook_service import (
    Change,
    Context,
    Done,
    DriverConfig,
    InvalidConfig,
    Outcome,
    Plan,
    PushEvent,
    Retry,
    Secret,
    Superseded,
    Unchanged,
    WebhookDriver,
)
from webhook_service.testing.kit import DriverCase, FreshTarget

OLDER = PushEvent(registry="docker.io", repository="acme/shop", tag="1.2.3")
NEWER = PushEvent(registry="docker.io", repository="acme/shop", tag="1.2.4")
SECRET = "a token of the gallery"


class Shelf:
    """A server in memory: an image, a label that follows it, and the order of the push."""

    def __init__(self) -> None:
        self.image, self.label, self.order = "none", "none", ""
        self.notes: list[str] = []
        self.down = False

    def put(self, **fields: str) -> None:
        if self.down:
            raise ConnectionError(f"refused for {SECRET}")
        for name, value in fields.items():
            setattr(self, name, value)

    def look(self) -> Mapping[str, str | None]:
        return {"image": self.image, "label": self.label}

    def fail(self) -> None:
        self.down = True


class Shelves:
    """All the shelves; ``url`` names one."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._made: dict[str, Shelf] = {}
        self._lock = threading.Lock()

    def make(self) -> tuple[str, Shelf]:
        with self._lock:
            name = f"shelf-{next(self._numbers)}"
            self._made[name] = Shelf()
        return name, self._made[name]

    def __getitem__(self, name: str) -> Shelf:
        return self._made[name]


SHELVES = Shelves()


class ShelfConfig(DriverConfig):
    shelf: str
    token: Secret


class GoodDriver(WebhookDriver[ShelfConfig]):
    Config = ShelfConfig

    def validate(self, config: ShelfConfig, context: Context) -> None:
        if not config.shelf.startswith("shelf-"):
            raise InvalidConfig("shelf: there is no such shelf; name one that is there.")

    def slot(self, config: ShelfConfig, event: PushEvent) -> str:
        return config.shelf

    def targets(self, config: ShelfConfig, context: Context) -> tuple[str, ...]:
        return (f"shelves/all/Shelf/{config.shelf}",)

    def plan(self, config: ShelfConfig, event: PushEvent, context: Context) -> Plan:
        return Plan(self.missing(config, event))

    def execute(self, config: ShelfConfig, event: PushEvent, context: Context) -> Outcome:
        if SHELVES[config.shelf].order > context.order_key:
            raise Superseded("The shelf has a newer image.")
        changes = self.missing(config, event)
        if not changes:
            return Unchanged("The shelf has this image already.")
        try:
            self.put(config, event, context)
        except ConnectionError as exc:
            raise Retry("The shelf refuses the connection.") from exc
        return Done(changes, "The image stands on the shelf.")

    def put(self, config: ShelfConfig, event: PushEvent, context: Context) -> None:
        shelf = SHELVES[config.shelf]
        shelf.put(order=context.order_key)
        shelf.put(image=event.image)
        shelf.put(label=f"label of {event.image}")

    def missing(self, config: ShelfConfig, event: PushEvent) -> tuple[Change, ...]:
        shelf = SHELVES[config.shelf]
        wanted = {"image": event.image, "label": f"label of {event.image}"}
        return tuple(
            [
                Change(config.shelf, name, getattr(shelf, name), value)
                for name, value in wanted.items()
                if getattr(shelf, name) != value
            ]
        )


class GoodAsyncDriver(WebhookDriver[ShelfConfig]):
    """The same, on a loop; what it opened is to be closed there."""

    Config = ShelfConfig

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(options)
        self.good = GoodDriver(options)
        self.validate = self.good.validate  # type: ignore[method-assign]
        self.slot = self.good.slot  # type: ignore[method-assign]

    async def execute(self, config: ShelfConfig, event: PushEvent, context: Context) -> Outcome:
        await asyncio.sleep(0)
        return self.good.execute(config, event, context)

    async def close(self) -> None:
        CLOSED.append(self)


CLOSED: list[GoodAsyncDriver] = []


def case_of(driver: Any, **more: Any) -> DriverCase:
    """The case of a driver on shelves."""

    def target() -> FreshTarget:
        name, shelf = SHELVES.make()

        def has(event: PushEvent) -> bool:
            return (shelf.image, shelf.label) == (event.image, f"label of {event.image}")

        return FreshTarget(
            config={"shelf": name, "token": SECRET},
            look=shelf.look,
            has=has,
            marks=lambda: (shelf.order, tuple(shelf.notes)),
            fail=shelf.fail,
        )

    values: dict[str, Any] = {
        "driver": driver,
        "target": target,
        "events": (OLDER, NEWER),
        "bad_configs": ({}, {"shelf": "no", "token": SECRET}),
        "step_seconds": 5.0,
        "total_seconds": 2.0,
    }
    return DriverCase(**(values | more))
