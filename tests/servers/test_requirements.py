"""What tests get from the machine: how its lack is told, and by whom a server is started."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.control_plane import NEWER
from tests.servers.requirements import VARIABLE, require

ROOT = Path(__file__).parent.parent.parent
SKIPS = """
import pytest

@pytest.mark.skip(reason="not today")
def test_skipped(): pass

@pytest.mark.xfail(reason="known", strict=True)
def test_expected(): assert False
"""
# Some ask for the fixture by way of another one, some say by the marker that they will ask.
USES = """
import pytest

@pytest.fixture(scope="session")
def control_plane(worker_id): print("started in", worker_id)

@pytest.fixture
def deployed(control_plane): pass

@pytest.mark.parametrize("number", range(4))
def test_transitive(number, deployed): pass

@pytest.mark.control_plane
@pytest.mark.parametrize("number", range(4))
def test_marked(number, request): request.getfixturevalue("control_plane")
"""

OPTIONAL = """
import pytest

@pytest.mark.newer_control_plane
def test_newer(): pass

def test_any(): pass
"""


def test_what_is_missing_is_skipped_with_the_way_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    require("a thing", True, "never asked")
    with pytest.raises(pytest.skip.Exception, match="a thing is missing: apt-get install it"):
        require("a thing", None, "apt-get install it")


def test_what_is_missing_fails_where_all_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "all")
    with pytest.raises(pytest.fail.Exception, match="a thing is missing: apt-get install it"):
        require("a thing", None, "apt-get install it")


def run(folder: Path, code: str, required: str, *options: str) -> str:
    (folder / "test_it.py").write_text(code)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    command += ["-p", "no:kmock"]
    done = subprocess.run(
        [*command, "-rA", f"--rootdir={folder}", *options, folder],
        cwd=ROOT,
        env=outside_of_workers() | {VARIABLE: required},
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr


def outside_of_workers() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_XDIST")}


def test_skips_stay_skips_on_a_developers_machine(tmp_path: Path) -> None:
    assert "1 skipped, 1 xfailed" in run(tmp_path, SKIPS, "")


def test_every_skip_is_a_failure_where_all_is_required(tmp_path: Path) -> None:
    output = run(tmp_path, SKIPS, "all")
    assert "1 xfailed, 1 error" in output
    assert "not today (WEBHOOK_SERVICE_TEST_REQUIRE=all)" in output


def test_skipped_module_is_a_failure_where_all_is_required(tmp_path: Path) -> None:
    code = 'import pytest\npytest.importorskip("no_such_module_anywhere")\n'
    output = run(tmp_path, code, "all")
    assert "1 error" in output
    assert "no_such_module_anywhere" in output


def test_what_nobody_has_to_have_is_left_out_even_where_all_is_required(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(NEWER, raising=False)
    output = run(tmp_path, OPTIONAL, "all")
    assert "1 passed, 1 deselected" in output and "::test_any" in output
    monkeypatch.setenv(NEWER, str(tmp_path))
    assert "2 passed" in run(tmp_path, OPTIONAL, "all")


def test_one_worker_starts_a_server_for_all(tmp_path: Path) -> None:
    """Not with pytest 9.2 as long as pytest-xdist's issue 1386 is open: groups are ignored."""
    output = run(tmp_path, USES, "", "-n2", "--dist=loadgroup")
    assert "8 passed" in output
    assert output.count("started in") == 1
