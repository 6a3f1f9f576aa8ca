"""``webhook-service driver``: what is installed, broken plug-ins included."""

import importlib.metadata
import json
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from tests.cli.conftest import Run, RunJson
from webhook_service.plugins import discovery


@pytest.fixture
def broken_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("torn", "no.such.module:Driver", discovery.DRIVERS)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: EntryPoints([point]))


def test_installed_drivers_are_listed(run_json: RunJson) -> None:
    drivers = {item["name"]: item for item in run_json("driver", "list")["data"]}
    assert drivers["deploymentUpdate"]["state"] == "ready"
    assert drivers["deploymentUpdate"]["distribution"] == "webhook-service"


@pytest.mark.usefixtures("broken_driver")
def test_a_broken_driver_is_shown_with_its_error(run: Run) -> None:
    result = run("driver", "list", "--output", "json")
    (driver,) = json.loads(result.stdout)["data"]
    assert (result.exit_code, driver["state"]) == (0, "broken")
    assert "No module named 'no'" in driver["error"]
    assert "No module named 'no'" in run("driver", "list").stdout


def test_the_schema_of_a_driver_is_json_schema(run: Run) -> None:
    result = run("driver", "schema", "deploymentUpdate")
    schema = json.loads(result.stdout)
    assert schema["required"] == ["namespace"]
    assert "rollbackOnFailure" in schema["properties"]


def test_an_unknown_driver_is_one_line(run: Run) -> None:
    result = run("driver", "schema", "nope")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: There is no driver 'nope'")


def test_drivers_outside_the_allow_list_are_not_there(
    run_json: RunJson, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_SERVICE_DRIVERS", "other")
    assert run_json("driver", "list")["data"] == []
