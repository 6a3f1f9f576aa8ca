"""``webhook-service project hold``: held, listed, released."""

from tests.cli.conftest import Run, RunJson


def test_a_project_is_held_for_several_reasons_and_each_is_released(
    run: Run, run_json: RunJson
) -> None:
    assert run_json("project", "hold", "--why", "a freeze")["name"] == "hold"
    run_json("project", "hold", "--why", "the database is down", "--name", "incident-42")
    assert "the database is down" in run("project", "holds").stdout
    assert run("project", "release", "incident-42").stdout == "incident-42 is released.\n"
    (left,) = run_json("project", "holds")["data"]
    assert (left["name"], left["why"]) == ("hold", "a freeze")
    assert run_json("project", "release")["state"] == "released"
    gone = run("project", "release", "incident-42")
    assert gone.exit_code == 2 and "not held as 'incident-42'" in gone.stderr
