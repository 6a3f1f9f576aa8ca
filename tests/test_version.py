"""One version, in setup.cfg: whatever else names it agrees, and the changelog has its notes."""

import re
import subprocess
from configparser import ConfigParser
from datetime import date
from importlib.metadata import version
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
NUMBER = r"\d+\.\d+\.\d+"


def stated() -> str:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config["metadata"]["version"]


def test_the_installed_package_has_the_version() -> None:
    assert version("webhook-service") == stated(), "run: pip install --no-deps -e ."


def test_chart_makefile_and_pages_name_the_version() -> None:
    chart = yaml.safe_load((ROOT / "examples/deploy/chart/Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (stated(), stated())
    made = subprocess.check_output(["make", "-s", "--dry-run", "image"], cwd=ROOT, text=True)
    assert set(re.findall(rf"(?:service:|VERSION=)({NUMBER})", made)) == {stated()}
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    named = [
        found
        for page in pages
        for found in re.findall(rf"webhook[-_]service[:=]+v?({NUMBER})", page.read_text())
    ]
    assert named and set(named) == {stated()}


def test_the_version_is_the_newest_release_of_the_changelog_and_has_notes() -> None:
    releases = re.findall(rf"^## ({NUMBER}) - (\S+)$", CHANGELOG, re.MULTILINE)
    assert releases[0][0] == stated()
    days = [date.fromisoformat(day) for _, day in releases]
    assert days == sorted(days, reverse=True)
    assert CHANGELOG.count("\n## Unreleased\n") == 1
    notes = subprocess.check_output(["make", "-s", "notes"], cwd=ROOT, text=True)
    assert notes.startswith(f"## {stated()} - ")
    assert notes in CHANGELOG and notes.count("\n## ") == 0
