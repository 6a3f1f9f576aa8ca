"""Run every benchmark, print a table, and write the figures as JSON."""

import argparse
import json
import os
import platform
import sys
from pathlib import Path

from tests.benchmarks import keys, parsing, startup
from tests.benchmarks.figures import Figure


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--json", type=Path, default=Path("benchmarks.json"))
    options = parser.parse_args()
    machine = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processors": os.cpu_count(),
        "load": os.getloadavg()[0],
    }
    print("  ".join(f"{name}: {value}" for name, value in machine.items()))
    figures: list[Figure] = []
    for benchmark in (startup, keys, parsing):
        for figure in benchmark.measure():
            print(figure.as_row(), flush=True)
            figures.append(figure)
    document = {"machine": machine, "figures": [figure.as_json() for figure in figures]}
    options.json.write_text(json.dumps(document, indent=2) + "\n")
    print(f"written to {options.json}", file=sys.stderr)


if __name__ == "__main__":
    main()
