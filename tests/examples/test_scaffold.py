"""``driver new``, ``format new``, ``scheme new``: what they write passes everything untouched."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.examples.conftest import environment_with

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("third_party_driver")]
TOOLS = Path(sysconfig.get_path("scripts"))
NOUNS = ["driver", "format", "scheme"]
# As long as a name may be: lines of what is written must not grow too long with it.
NAMES = {"driver": "greetTeam", "format": "aNameForTheLongestFormats", "scheme": "x"}


@pytest.fixture(scope="module")
def programs(folder: Path, wheel: Path) -> Path:
    return environment_with(folder / "authors", wheel)


def run(folder: Path, *command: str | Path) -> str:
    found = subprocess.run(
        [str(part) for part in command], cwd=folder, capture_output=True, text=True, timeout=110
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


@pytest.fixture(scope="module", params=NOUNS)
def made(request: pytest.FixtureRequest, programs: Path, folder: Path) -> Path:
    """A distribution, as the command writes it."""
    noun, into = request.param, folder / "new"
    said = run(folder, programs / "webhook-service", noun, "new", NAMES[noun], "--into", into)
    (path,) = [path for path in into.iterdir() if str(path) in said]
    return path


def test_its_own_tests_pass_and_run_the_kit(made: Path, programs: Path) -> None:
    said = run(made, programs / "python", "-m", "pytest", "-q", "-p", "no:kmock")
    assert "checks hold, 0 do not" in said


def test_ruff_mypy_and_pyright_find_nothing(made: Path, programs: Path) -> None:
    python = programs / "python"
    assert "All checks passed" in run(made, TOOLS / "ruff", "check", ".")
    assert "already formatted" in run(made, TOOLS / "ruff", "format", "--check", ".")
    mypy = (sys.executable, "-m", "mypy", "--python-executable", python, ".")
    assert "no issues found" in run(made, *mypy)
    assert "0 errors" in run(made, TOOLS / "basedpyright", "--pythonpath", python, ".")


def test_installed_it_is_found(made: Path, programs: Path, folder: Path) -> None:
    noun = next(noun for noun in NOUNS if f"webhook_service.{noun}s" in _text(made))
    install = [sys.executable, "-m", "pip", "--python", programs / "python", "install", "-q"]
    run(folder, *install, "--no-deps", "--no-index", "--no-build-isolation", made)
    listed = run(folder, programs / "webhook-service", noun, "list", "--output", "json")
    assert f'"distribution": "{made.name}"' in listed
    assert '"state": "broken"' not in listed


def _text(made: Path) -> str:
    return (made / "pyproject.toml").read_text()


def test_a_driver_has_less_than_sixty_lines(folder: Path, programs: Path) -> None:
    run(folder, programs / "webhook-service", "driver", "new", "short", "--into", folder / "short")
    module = folder / "short" / "webhook-short" / "webhook_short.py"
    assert len(module.read_text().splitlines()) < 60
