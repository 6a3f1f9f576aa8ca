"""``driver new``, ``format new``, ``scheme new``: what they write passes everything untouched.

And docs/writing-a-driver.md leads from there to a push.
"""

import json
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.docs.terminal import Terminal, shell_blocks
from tests.examples.conftest import ROOT, environment_with

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("third_party_driver")]
TOOLS = Path(sysconfig.get_path("scripts"))
NOUNS = ["driver", "format", "scheme"]
# A driver goes the way of the guide, at the end.
BESIDE_THE_GUIDE = pytest.mark.parametrize("noun", ["format", "scheme"])
# As long as a name may be: lines of what is written must not grow too long with it.
NAMES = {
    "driver": "aNameForTheLongestDrivers",
    "format": "aNameForTheLongestFormats",
    "scheme": "x",
}


@pytest.fixture(scope="module")
def programs(folder: Path, wheel: Path) -> Path:
    return environment_with(folder / "authors", wheel)


def run(folder: Path, *command: str | Path) -> str:
    found = subprocess.run(
        [str(part) for part in command], cwd=folder, capture_output=True, text=True, timeout=110
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


@pytest.fixture(scope="module")
def made(programs: Path, folder: Path) -> Mapping[str, Path]:
    """A distribution of each kind, as its command writes it."""
    into, found = folder / "new", dict[str, Path]()
    for noun in NOUNS:
        said = run(folder, programs / "webhook-service", noun, "new", NAMES[noun], "--into", into)
        (found[noun],) = [path for path in into.iterdir() if str(path) in said]
    return found


@BESIDE_THE_GUIDE
def test_its_own_tests_pass_and_run_the_kit(
    noun: str, made: Mapping[str, Path], programs: Path
) -> None:
    said = run(made[noun], programs / "python", "-m", "pytest", "-q", "-p", "no:kmock")
    assert "checks hold, 0 do not" in said


@pytest.mark.parametrize("noun", NOUNS)
def test_ruff_mypy_and_pyright_find_nothing(
    noun: str, made: Mapping[str, Path], programs: Path, folder: Path
) -> None:
    written, python = made[noun], programs / "python"
    assert "All checks passed" in run(written, TOOLS / "ruff", "check", ".")
    assert "already formatted" in run(written, TOOLS / "ruff", "format", "--check", ".")
    # What mypy finds of the installed packages is the same for all.
    mypy = (
        sys.executable,
        "-m",
        "mypy",
        "--cache-dir",
        folder / "mypy-authors",
        "--python-executable",
        python,
        ".",
    )
    assert "no issues found" in run(written, *mypy)
    assert "0 errors" in run(written, TOOLS / "basedpyright", "--pythonpath", python, ".")


@BESIDE_THE_GUIDE
def test_installed_it_is_found(
    noun: str, made: Mapping[str, Path], programs: Path, folder: Path
) -> None:
    install = [sys.executable, "-m", "pip", "--python", programs / "python", "install", "-q"]
    run(folder, *install, "--no-deps", "--no-index", "--no-build-isolation", made[noun])
    listed = run(folder, programs / "webhook-service", noun, "list", "--output", "json")
    assert f'"distribution": "{made[noun].name}"' in listed
    assert '"state": "broken"' not in listed


def test_a_driver_has_less_than_sixty_lines(folder: Path, programs: Path) -> None:
    run(folder, programs / "webhook-service", "driver", "new", "short", "--into", folder / "short")
    module = folder / "short" / "webhook-short" / "webhook_short.py"
    assert len(module.read_text().splitlines()) < 60


class Team(ThreadingHTTPServer):
    """The server of somebody who has just written a driver: it keeps one JSON object."""

    kept: dict[str, str]


class Answer(BaseHTTPRequestHandler):
    server: Team

    def do_GET(self) -> None:
        known = self.headers["authorization"] == "Bearer a token"
        body = json.dumps(self.server.kept).encode()
        self.send_response(200 if known else 401)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self) -> None:
        self.server.kept = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.fixture
def team() -> Iterator[Team]:
    with Team(("127.0.0.1", 0), Answer) as server:
        server.kept = {}
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


def test_the_guide_leads_from_nothing_to_a_push_that_the_new_driver_executes(
    programs: Path, folder: Path, team: Team, tmp_path: Path
) -> None:
    """All but an index to install from, and the server that is called, is as in the guide."""
    install = f"{sys.executable} -m pip --python {programs / 'python'} install -q --no-deps"
    terminal = Terminal(
        tmp_path / "home",
        programs,
        replaced={
            "python -m pip install -e '.[test]'": f"{install} --no-index --no-build-isolation .",
            "\npytest\n": "\npython -m pytest -q -p no:kmock\n",
            "127.0.0.1:9000": f"127.0.0.1:{team.server_port}",
        },
    )
    printed = terminal.run(*shell_blocks(ROOT / "docs/writing-a-driver.md"))
    kit, _, tried = printed.partition(" checks hold, 0 do not")
    assert kit != printed, printed
    (listed,) = [line for line in tried.splitlines() if line.startswith("greetTeam ")]
    assert listed.split()[1:4:2] == ["ready", "webhook-greet-team"]
    assert team.kept["image"] == "docker.io/acme/shop:1.2.3"
    assert "succeeded" in printed.splitlines()[-1]
