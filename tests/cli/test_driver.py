"""``webhook-service driver``: what is installed, broken plug-ins included."""

import json
from collections.abc import Callable
from importlib.metadata import version

import pytest

from tests.cli.conftest import Run, RunJson
from webhook_service.plugins import discovery, provenance


@pytest.fixture
def broken_driver(install_torn: Callable[[str], None]) -> None:
    install_torn(discovery.DRIVERS)


def test_installed_drivers_are_listed(run_json: RunJson) -> None:
    drivers = {item["name"]: item for item in run_json("driver", "list")["data"]}
    assert drivers["deploymentUpdate"]["state"] == "ready"
    assert drivers["deploymentUpdate"]["distribution"] == "webhook-service"


@pytest.mark.usefixtures("broken_driver")
def test_a_broken_driver_is_shown_with_its_error(run: Run) -> None:
    result = run("driver", "list", "--output", "json")
    (driver,) = (each for each in json.loads(result.stdout)["data"] if each["name"] == "torn")
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
    monkeypatch.setenv("WEBHOOK_SERVICE_DRIVERS", f"restart, jobRun=={version('webhook-service')}")
    assert [item["name"] for item in run_json("driver", "list")["data"]] == ["jobRun", "restart"]


@pytest.mark.parametrize("words", [("driver", "list"), ("serve",), ("worker",)])
def test_a_misspelt_driver_stops_what_would_offer_it(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("WEBHOOK_SERVICE_DRIVERS", "deploymentUpdat")
    if words == ("worker",):
        monkeypatch.setenv("WEBHOOK_SERVICE_ENGINE", "celery")
        monkeypatch.setenv("WEBHOOK_SERVICE_BROKER_URL", "redis://127.0.0.1:1/0")
    result = run(*words)
    assert result.exit_code == 1
    assert "names 'deploymentUpdat'" in result.stderr
    assert "the nearest is deploymentUpdate" in result.stderr


def test_a_driver_of_another_version_than_its_pin_is_shown_as_broken(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_SERVICE_DRIVERS", "jobRun==9")
    result = run("driver", "show", "jobRun", "--output", "json")
    shown = json.loads(result.stdout)
    assert (result.exit_code, shown["state"]) == (1, "broken")
    assert f"allows version 9, and {version('webhook-service')} is installed" in shown["error"]


def test_a_driver_is_shown_with_where_it_comes_from(run_json: RunJson) -> None:
    shown = run_json("driver", "show", "jobRun")
    assert (shown["distribution"], shown["state"], shown["missing"]) == (
        "webhook-service",
        "ready",
        [],
    )
    assert shown["target"] == "webhook_drivers.kubernetes.drivers.job_run:JobRun"


def test_a_driver_whose_extra_is_not_installed_is_not_called_ready(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "_version", lambda name: None if name == "kubernetes" else "1")
    install = "it needs kubernetes: pip install 'webhook-service[kubernetes]'."
    result = run("driver", "show", "jobRun", "--output", "json")
    shown = json.loads(result.stdout)
    assert (result.exit_code, shown["state"], shown["missing"]) == (1, "incomplete", ["kubernetes"])
    assert shown["error"] == install
    listed = json.loads(run("driver", "list", "--output", "json").stdout)["data"]
    on_clusters = [driver for driver in listed if driver["name"] != "gitCommit"]
    assert {(each["state"], each["error"]) for each in on_clusters} == {("incomplete", install)}
    (line,) = [each for each in run("driver", "list").stdout.splitlines() if "jobRun" in each]
    assert line.endswith(install)


def test_a_driver_that_is_not_there_cannot_be_shown(run: Run) -> None:
    result = run("driver", "show", "nope")
    assert result.exit_code == 1
    assert "There is no driver 'nope'" in result.stderr
