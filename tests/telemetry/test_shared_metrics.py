"""Figures of several processes: each test's are programs, for Prometheus' client has one mode."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

PROGRAM = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from webhook_service.errors import StoreUnavailable
from webhook_service.model.history.backlog import Written
from webhook_service.telemetry.observer import ConnectionsOpen, LeasesLost, WorkersBusy
from webhook_service.telemetry.shared_metrics import SharedMetrics

def backlog():
    raise StoreUnavailable("away")

place, leases, connections, jobs = map(int, sys.argv[2:])
metrics = SharedMetrics(
    place, Path(sys.argv[1]), backlog, lambda: Written(0, jobs, 1), lambda: datetime.now(UTC)
)
if leases:
    metrics.tell(LeasesLost(leases))
if connections:
    metrics.tell(ConnectionsOpen(connections))
metrics.keep()
sys.stdout.buffer.write(metrics.text())
"""


@pytest.fixture
def figures(tmp_path: Path) -> Path:
    return tmp_path


def count(folder: Path, place: int, leases: int, connections: int, jobs: int) -> dict[str, float]:
    """Let one process count; gives what it serves before it ends."""
    arguments = map(str, (folder, place, leases, connections, jobs))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return {
        sample.name + "".join(f"/{value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(done.stdout)
        for sample in family.samples
    }


def test_sums_go_on_when_a_place_is_taken_again_and_what_is_open_does_not(figures: Path) -> None:
    count(figures, 0, leases=2, connections=5, jobs=10)
    second = count(figures, 1, leases=3, connections=4, jobs=20)
    assert second["webhook_lost_leases_total"] == 5
    assert second["webhook_open_connections"] == 9
    assert (second["webhook_writes_total"], second["webhook_commits_total"]) == (30, 2)
    again = count(figures, 0, leases=1, connections=0, jobs=7)
    assert again["webhook_lost_leases_total"] == 6
    assert again["webhook_open_connections"] == 4
    assert (again["webhook_writes_total"], again["webhook_commits_total"]) == (37, 3)


def test_each_process_that_lives_shows_its_memory_under_its_place(figures: Path) -> None:
    (figures / "1.pid").write_text(str(os.getpid()))
    found = count(figures, 0, leases=0, connections=0, jobs=0)
    assert found["process_resident_memory_bytes/0"] > 1e7
    assert found["process_resident_memory_bytes/1"] > 1e7
    assert "process_resident_memory_bytes" not in found
