"""Plug-ins that an application adds without an entry point."""

from typing import Any

import pytest

from webhook_service.driver import CONTRACT, Done, DriverConfig, WebhookDriver
from webhook_service.errors import PluginUnavailable
from webhook_service.plugins.discovery import DRIVERS, Plugins
from webhook_service.plugins.instances import (
    Drivers,
    new_drivers,
    new_formats,
    new_notification_kinds,
    new_schemes,
)
from webhook_service.testing import StubDriver


class Newer(StubDriver):
    contract = CONTRACT + 1


class Short(StubDriver):
    def slot(self, config: DriverConfig) -> str:  # type: ignore[override]
        return ""


class Half(WebhookDriver[DriverConfig]):
    async def slot(self, config: DriverConfig, event: Any) -> str:  # type: ignore[override]
        return ""

    def execute(self, config: DriverConfig, event: Any, context: Any) -> Done:
        return Done()


@pytest.fixture
def drivers() -> Drivers:
    return new_drivers(Plugins(DRIVERS, "driver", WebhookDriver))


@pytest.mark.parametrize(
    ("driver", "said"),
    [
        (Newer, "it asks for version 2 of the plug-in contract"),
        (Newer(), "it asks for version 2 of the plug-in contract"),
        (Short(), r"its slot must be a method that takes \(self, config, event\)"),
        (Half, "its slot must be a plain method, and not async"),
        (WebhookDriver, "its class WebhookDriver does not define execute"),
        (dict, "its class dict does not extend WebhookDriver"),
        (None, "its class NoneType does not extend WebhookDriver"),
    ],
)
def test_what_breaks_the_contract_is_refused_when_it_is_added(
    drivers: Drivers, driver: Any, said: str
) -> None:
    with pytest.raises(PluginUnavailable, match=f"^The driver 'mine' cannot be used: {said}"):
        drivers.add("mine", driver)
    assert drivers.names == ()


def test_what_is_refused_leaves_the_one_that_had_its_name(drivers: Drivers) -> None:
    first = StubDriver()
    drivers.add("mine", first)
    with pytest.raises(PluginUnavailable):
        drivers.add("mine", Short())
    assert drivers.get("mine") is first


@pytest.mark.parametrize("name", ["", "two\nlines", "n" * 256, 7])
def test_a_name_that_no_receiver_can_have_is_refused(drivers: Drivers, name: Any) -> None:
    with pytest.raises(PluginUnavailable, match="its name must have 1 to 255 characters"):
        drivers.add(name, StubDriver)


def test_formats_schemes_and_kinds_are_held_to_their_own_bases() -> None:
    added: Any = (new_formats(), new_schemes(lambda *_: b""), new_notification_kinds())
    for plugins, base in zip(added, ("Format", "Scheme", "NotificationKind"), strict=True):
        with pytest.raises(PluginUnavailable, match=f"StubDriver does not extend {base}"):
            plugins.add("mine", StubDriver())
