from collections.abc import Mapping
from typing import Any, Literal

import pytest

from webhook_service.driver import Context, Done, DriverConfig, Outcome, PushEvent, WebhookDriver
from webhook_service.errors import InvalidConfig, InvalidRequest, UnknownField
from webhook_service.model.receiver import ReceiverSpec, as_json
from webhook_service.plugins.discovery import DRIVERS, Plugins
from webhook_service.plugins.instances import Drivers, new_drivers
from webhook_service.receiving.bodies.receiver import read_body
from webhook_service.testing.stub import StubDriver


class OldConfig(DriverConfig):
    """A config with v1.6's fields, which say something about source and match."""

    amount: int = 1
    action: Literal["up", "down"] = "up"
    tag: str | None = None

    def implied(self) -> Mapping[str, Any]:
        return {"match": {"tags": {"policy": "exact", "value": self.tag}}} if self.tag else {}


class OldDriver(WebhookDriver[OldConfig]):
    Config = OldConfig

    def execute(self, config: OldConfig, event: PushEvent, context: Context) -> Outcome:
        return Done()


@pytest.fixture
def drivers() -> Drivers:
    plugins: Plugins[WebhookDriver[Any, Any]] = Plugins(DRIVERS, "driver", WebhookDriver)
    plugins.add("stub", StubDriver)
    plugins.add("old", OldDriver)
    return new_drivers(plugins)


def read(drivers: Drivers, base: ReceiverSpec | None = None, **body: Any) -> ReceiverSpec:
    return read_body(body, drivers, base)[0]


def test_a_plain_v16_body_is_enough(drivers: Drivers) -> None:
    spec = read(drivers, name="shop", driver="old", oldConfig={"tag": "1.2", "type": "old"})
    assert spec.config == {"tag": "1.2"}
    assert (spec.source.format, spec.verify.scheme, spec.respond) == (
        "dockerhub",
        "none",
        "accepted",
    )
    assert (spec.match.tags.policy, spec.match.tags.value) == ("exact", "1.2")


def test_a_newer_body_must_say_how_calls_are_verified(drivers: Drivers) -> None:
    with pytest.raises(InvalidConfig, match="verify: say how"):
        read(drivers, name="a", driver="stub", match={"repositories": ["a/b"]})
    spec = read(drivers, name="a", driver="stub", match={}, verify={"scheme": "none"})
    assert spec.verify.scheme == "none"


def test_what_the_body_says_wins_over_what_the_config_implies(drivers: Drivers) -> None:
    spec = read(
        drivers,
        name="a",
        driver="old",
        oldConfig={"tag": "1"},
        match={"repositories": ["a/b"], "tags": {"policy": "any"}},
        verify={"scheme": "none"},
    )
    assert spec.match.tags.policy == "any"
    kept = read(
        drivers,
        name="a",
        driver="old",
        oldConfig={"tag": "1"},
        match={"repositories": ["a/b"]},
        verify={"scheme": "none"},
    )
    assert (kept.match.tags.value, kept.match.repositories) == ("1", ("a/b",))


def test_an_answer_can_be_sent_back(drivers: Drivers) -> None:
    spec = read(drivers, name="a", driver="stub", stubConfig={"target": "t"})
    answer = {**as_json(spec), "id": "rcv_1", "type": "receiver", "links": {}, "actions": {}}
    answer |= {"url": "http://x", "created": "now", "updated": "now", "oldConfig": {}}
    assert read(drivers, **answer) == spec


def test_an_update_keeps_what_it_leaves_out(drivers: Drivers) -> None:
    base = read(
        drivers,
        name="a",
        driver="old",
        oldConfig={"tag": "1", "amount": 2},
        match={"repositories": ["a/b"]},
        verify={"scheme": "none"},
    )
    renamed = read(drivers, base, name="b")
    assert renamed == base.model_copy(update={"name": "b"})
    retagged = read(drivers, base, oldConfig={"tag": "2"})
    assert (retagged.match.tags.value, retagged.match.repositories) == ("2", ("a/b",))
    opened = read(drivers, base, match={"repositories": ["c/d"], "tags": {"policy": "any"}})
    assert opened.match.repositories == ("c/d",)


def test_a_name_that_an_older_release_took_may_stay(drivers: Drivers) -> None:
    old = read(drivers, name="a", driver="stub").model_copy(update={"name": "a\nb"})
    body = {"name": "a\nb", "driver": "stub"}
    assert read_body(body, drivers, old)[0].name == read_body(body, drivers, None, old)[0].name
    with pytest.raises(InvalidConfig, match="printable"):
        read_body({**body, "name": "a\nc"}, drivers, old)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ([], "JSON object"),
        ({}, "Name not provided"),
        ({"name": ""}, "Name not provided"),
        ({"name": "shop\nprod", "driver": "stub"}, "name: must have printable characters"),
        ({"name": "\u202epohs", "driver": "stub"}, "name: must have printable characters"),
        ({"name": " ", "driver": "stub"}, "name: must have printable characters"),
        ({"name": 5}, "name: must be a text"),
        ({"name": "a"}, "Driver not provided"),
        ({"name": "a", "driver": "nope"}, "Invalid driver nope"),
        ({"name": "a", "driver": "stub", "stubConfig": 5}, "stubConfig: must be an object"),
        ({"name": "a", "driver": "stub", "stubConfig": {"x": 1}}, "stubConfig.x: Extra inputs"),
        ({"name": "a", "driver": "old", "oldConfig": {"action": "in"}}, "oldConfig.action: Input"),
        ({"name": "a", "driver": "stub", "oldConfig": {"amount": 1}}, "not the config of stub"),
        ({"name": "a" * 256, "driver": "stub"}, "name: String should have at most 255"),
        ({"name": "a", "driver": "stub", "state": "gone"}, "state"),
        ({"name": "a", "driver": "stub", "verify": {"scheme": 1}}, "verify.scheme"),
        (
            {"name": "a", "driver": "stub", "respond": "later", "verify": {"scheme": "none"}},
            "respond",
        ),
    ],
)
def test_a_body_that_cannot_work_says_what_to_change(
    drivers: Drivers, body: Any, problem: str
) -> None:
    with pytest.raises(InvalidConfig) as error:
        read_body(body, drivers)
    assert problem in error.value.message


def test_an_unknown_field_is_named_with_the_likely_one(drivers: Drivers) -> None:
    with pytest.raises(UnknownField, match="'mtach'; did you mean match"):
        read(drivers, name="a", driver="stub", mtach={})
    with pytest.raises(UnknownField, match="'tenant_id'"):
        read(drivers, name="a", driver="stub", tenant_id="x")


def test_errors_never_repeat_a_value(drivers: Drivers) -> None:
    with pytest.raises(InvalidRequest) as error:
        read(drivers, name="a", driver="old", oldConfig={"amount": "hunter2"})
    assert "hunter2" not in error.value.message
