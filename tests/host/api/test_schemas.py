"""Schemas: Rancher's form of what drivers say of their configs."""

from typing import Any, Literal

import httpx
from pydantic import BaseModel, Field

from tests.host.served import Served, get
from tests.support import push
from webhook_service.driver import Context, Done, DriverConfig, Outcome, PushEvent, WebhookDriver
from webhook_service.plugins.discovery import Plugin


class Pause(BaseModel):
    seconds: float = 1.5


class Step(BaseModel):
    weight: int = Field(ge=0, le=100)
    pause: Pause | None = None
    then: "Step | None" = None


class OwnConfig(DriverConfig):
    target: str = Field(default="", description="What to change.")
    mode: Literal["fast", "safe"] = "safe"
    only: Literal["one"] = "one"
    steps: tuple[Step, ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)
    limit: int | str | None = None
    on: bool = True
    anything: Any = None


class Own(WebhookDriver[OwnConfig]):
    Config = OwnConfig

    def execute(self, config: OwnConfig, event: PushEvent, context: Context) -> Outcome:
        return Done()


def test_a_third_party_driver_appears_by_itself(served: Served, owner: httpx.Client) -> None:
    served.service.drivers.add("ownThing", Own)
    receiver = get(owner, "/schemas/receiver")["resourceFields"]
    assert receiver["driver"]["options"] == ["ownThing", "stub"]
    assert receiver["ownThingConfig"] == {"type": "ownThing", "create": True}
    fields = get(owner, "/schemas/ownThing")["resourceFields"]
    assert fields == {
        "target": {"type": "string", "create": True, "description": "What to change."},
        "mode": {"type": "enum", "create": True, "options": ["fast", "safe"], "default": "safe"},
        "only": {"type": "enum", "create": True, "options": ["one"], "default": "one"},
        "steps": {"type": "array[ownThingStep]", "create": True},
        "labels": {"type": "map[string]", "create": True},
        "limit": {"type": "string", "create": True},
        "on": {"type": "bool", "create": True, "default": True},
        "anything": {"type": "json", "create": True},
        "type": {"type": "string", "create": True},
    }


def test_objects_inside_a_config_have_schemas_of_their_own(
    served: Served, owner: httpx.Client
) -> None:
    served.service.drivers.add("ownThing", Own)
    assert get(owner, "/schemas/ownThingStep")["resourceFields"] == {
        "weight": {"type": "int", "create": True, "min": 0, "max": 100},
        "pause": {"type": "ownThingPause", "create": True},
        "then": {"type": "ownThingStep", "create": True},
    }
    pause = get(owner, "/schemas/ownThingPause")["resourceFields"]
    assert pause == {"seconds": {"type": "float", "create": True, "default": 1.5}}


def test_a_driver_s_schema_carries_its_json_schema(owner: httpx.Client, served: Served) -> None:
    served.service.drivers.add("ownThing", Own)
    found = get(owner, "/schemas/ownThing")["jsonSchema"]
    assert found == OwnConfig.model_json_schema(by_alias=True)


def test_a_driver_without_a_schema_does_not_hide_the_others(
    served: Served, owner: httpx.Client
) -> None:
    class BrokenConfig(OwnConfig):
        @classmethod
        def model_json_schema(cls, *_: Any, **__: Any) -> dict[str, Any]:
            raise ValueError("no schema")

    class Broken(Own):
        Config = BrokenConfig

    served.service.drivers.add("broken", Broken)
    ids = [schema["id"] for schema in get(owner, "/schemas")["data"]]
    assert "stub" in ids and "broken" not in ids


def test_a_plugin_that_did_not_load_is_not_offered(served: Served, owner: httpx.Client) -> None:
    broken: Plugin[Any] = Plugin("broken", "x", "1", error="it does not load")
    served.service.drivers.plugins._loaders["broken"] = lambda: broken
    receiver = get(owner, "/schemas/receiver")["resourceFields"]
    assert receiver["driver"]["options"] == ["stub"] and "brokenConfig" not in receiver


def test_a_plugin_without_its_extra_says_how_to_install_it(
    served: Served, owner: httpx.Client
) -> None:
    lack = "it needs nomad: pip install 'webhook-nomad[nomad]'."
    lacking: Plugin[Any] = Plugin("nomad", "webhook-nomad", "1", Own, lack=lack)
    served.service.drivers.plugins._loaders["nomad"] = lambda: lacking
    found = {each["name"]: each for each in get(owner, "/drivers")["data"]}
    assert (found["nomad"]["state"], found["nomad"]["error"]) == ("incomplete", lack)
    assert (found["stub"]["state"], found["stub"]["error"]) == ("ready", None)


def test_every_schema_can_be_read_alone(owner: httpx.Client) -> None:
    whole = get(owner, "/schemas")["data"]
    assert {"receiver", "stub", "delivery", "execution", "error"} <= {one["id"] for one in whole}
    for schema in whole:
        assert owner.get(schema["links"]["self"]).json() == schema


def test_resources_have_no_field_that_their_schema_lacks(
    served: Served, owner: httpx.Client, receiver: tuple[str, str]
) -> None:
    told = push(served.service, receiver[1])
    paths = [f"/receivers/{receiver[0]}", f"/deliveries/{told.id}"]
    paths += [f"/executions/{told.executions[0]}"]
    for path in paths:
        found = get(owner, path)
        schema = get(owner, f"/schemas/{found['type']}")
        assert found.keys() == schema["resourceFields"].keys()


class Ending(DriverConfig):
    @classmethod
    def __get_pydantic_json_schema__(cls, *_: Any) -> Any:
        raise SystemExit(3)


class Unprintable(DriverConfig):
    weight: float = Field(default=1, json_schema_extra={"best": float("nan")})


def test_a_config_without_a_schema_takes_no_other_away(served: Served, owner: httpx.Client) -> None:
    for name, config in {"ending": Ending, "unprintable": Unprintable}.items():
        served.service.drivers.add(name, type(name, (Own,), {"Config": config}))
    shown = {schema["id"] for schema in get(owner, "/schemas")["data"]}
    assert "stub" in shown
    assert shown.isdisjoint({"ending", "unprintable"})


def test_a_driver_with_a_slash_in_its_name_has_a_schema(
    served: Served, owner: httpx.Client
) -> None:
    served.service.drivers.add("a/b", Own)
    assert get(owner, "/schemas/a/b")["id"] == "a/b"
