"""The dashboard and the alert rules: promtool reads them, and every metric in them exists."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.servers.requirements import require_program

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples/deploy/monitoring"
RULES, DASHBOARD = FOLDER / "alerts.yaml", FOLDER / "dashboard.json"
METRIC = re.compile(r"\bwebhook_[a-z_]+")


@pytest.fixture(scope="module")
def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


@pytest.fixture(scope="module")
def listed() -> set[str]:
    page = (ROOT / "docs/metrics.md").read_text()
    rows = re.findall(r"^\| `(webhook_\w+)` \| (\w+) ", page, re.MULTILINE)
    return {f"{name}_bucket" if kind == "histogram" else name for name, kind in rows}


def promtool(*words: str) -> str:
    program = require_program("promtool", "install Debian's package prometheus")
    done = subprocess.run(
        [program, *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_the_alert_rules() -> None:
    assert "12 rules found" in promtool("check", "rules", str(RULES))


def test_prometheus_takes_the_queries_of_the_dashboard(
    panels: list[dict[str, Any]], tmp_path: Path
) -> None:
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    assert len(queries) >= 20
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, query in enumerate(queries)
    ]
    file = tmp_path / "queries.yaml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", str(file))


@pytest.mark.parametrize("file", [RULES, DASHBOARD], ids=["rules", "dashboard"])
def test_every_metric_exists(file: Path, listed: set[str]) -> None:
    used = set(METRIC.findall(file.read_text()))
    assert len(used) >= 9 and used <= listed


def test_the_dashboard_shows_every_metric(panels: list[dict[str, Any]], listed: set[str]) -> None:
    shown = {
        name
        for panel in panels
        for target in panel["targets"]
        for name in METRIC.findall(target["expr"])
    }
    assert shown == listed


def test_panels_lie_beside_each_other(panels: list[dict[str, Any]]) -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len({*places}) == len(places) == len({panel["title"] for panel in panels})
