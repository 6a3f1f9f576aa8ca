"""``new`` of drivers, formats and schemes: names, and what is refused (more: tests/examples)."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from webhook_service.cli.scaffold.distribution import NewDistribution


@pytest.mark.parametrize("given", ["greetTeam", "greet-team", "greet_team", "GreetTeam"])
def test_one_name_gives_all_others(given: str) -> None:
    made = NewDistribution.named("driver", given)
    assert (made.name, made.distribution, made.module) == (
        "greetTeam",
        "webhook-greet-team",
        "webhook_greet_team",
    )


def test_a_format_and_a_driver_of_one_name_are_two_distributions() -> None:
    assert NewDistribution.named("format", "x").distribution == "webhook-x-format"


@pytest.mark.parametrize("given", ["", "1st", "a b", "../x", "a--b", "ünï", "a" * 31, "-a", "a/b"])
def test_what_cannot_be_a_name_is_refused_and_nothing_is_written(
    run: Run, tmp_path: Path, given: str
) -> None:
    result = run("driver", "new", "--into", str(tmp_path / "new"), "--", given)
    assert result.exit_code == 1
    assert "cannot be a name" in result.stderr
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_there_is_left_alone(run: Run, tmp_path: Path) -> None:
    kept = tmp_path / "webhook-greet" / "mine.txt"
    kept.parent.mkdir()
    kept.write_text("mine")
    result = run("driver", "new", "greet", "--into", str(tmp_path))
    assert result.exit_code == 1
    assert "is there already; nothing was written" in result.stderr
    assert [*kept.parent.iterdir()] == [kept]


@pytest.mark.parametrize(
    ("noun", "name"), [("driver", "jobRun"), ("format", "harbor"), ("scheme", "hmac")]
)
def test_a_name_that_is_taken_is_refused(run: Run, tmp_path: Path, noun: str, name: str) -> None:
    result = run(noun, "new", name, "--into", str(tmp_path))
    assert result.exit_code == 1
    assert f"webhook-service has a {noun} '{name}' already" in result.stderr
