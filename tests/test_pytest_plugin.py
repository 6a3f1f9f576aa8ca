"""The pytest plug-in: it does nothing unless asked, and then each fault is one sentence."""

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest
from tests.testing.gallery.drivers import DoneTooEarly
from tests.testing.gallery.good import GoodDriver, case_of
from webhook_service.testing.kit import DriverConformance

class TestGood(DriverConformance):
    @pytest.fixture
    def case(self):
        return case_of(GoodDriver)

class TestBad(DriverConformance):
    @pytest.fixture
    def case(self):
        return case_of(DoneTooEarly)
"""
ROOT = Path(__file__).parents[1]


@pytest.fixture
def run(tmp_path: Path) -> "Run":
    (tmp_path / "test_mine.py").write_text(TESTS)
    return Run(tmp_path)


class Run:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *options: str) -> str:
        command = [sys.executable, "-m", "pytest", "-q", "--rootdir=.", "-p", "no:kmock"]
        command += ["-p", "no:cacheprovider", "-k", "target_shows_it or closed", *options]
        found = subprocess.run(
            command, cwd=self.folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
        )
        assert "1 failed, 3 passed" in found.stdout, found.stdout + found.stderr
        return found.stdout


def test_asked_for_it_shows_a_fault_as_one_sentence_and_counts(run: Run) -> None:
    said = run("--webhook-kit")
    assert "execute returned Done, and the target does not show the push" in said
    assert "Traceback" not in said and "def test_" not in said
    assert "TestGood: 2 checks hold, 0 do not" in said
    assert "TestBad: 1 checks hold, 1 do not" in said


def test_a_setting_asks_for_it_too(run: Run) -> None:
    (run.folder / "pytest.ini").write_text("[pytest]\nwebhook_kit = true\n")
    assert "TestBad: 1 checks hold, 1 do not" in run()


def test_without_being_asked_it_does_nothing(run: Run) -> None:
    assert "webhook-service conformance" not in run()


def test_loading_it_imports_no_more_than_the_package() -> None:
    code = "import sys, webhook_service.pytest_plugin as p; print('pydantic' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert printed.stdout.strip() == "False"
