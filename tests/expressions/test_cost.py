import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_no_drawn_expression_or_glob_costs_more_than_20_ms_and_16_mb() -> None:
    command = [sys.executable, "-m", "tests.expressions.drawn_costs"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr[-2000:]
