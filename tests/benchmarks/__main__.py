"""Run the benchmarks, print a table, and write the figures as JSON."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from tests.benchmarks import (
    aborts,
    accept,
    console,
    engines,
    executions,
    keys,
    lists,
    parsing,
    patch,
    processes,
    sizes,
    startup,
    ways_back,
)
from tests.benchmarks.figures import Figure
from tests.benchmarks.load import Missing


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help="which ones; all if none is named")
    parser.add_argument("--json", type=Path, default=Path("benchmarks.json"))
    parser.add_argument("--deliveries", type=int, default=1_000_000, help="rows in the large table")
    options = parser.parse_args()
    benchmarks = _benchmarks(options.deliveries)
    if unknown := set(options.names) - benchmarks.keys():
        parser.error(f"there is no {', '.join(unknown)}; choose from {', '.join(benchmarks)}")
    machine = _machine()
    print("  ".join(f"{name}: {value}" for name, value in machine.items()))
    figures: list[Figure] = []
    for name in options.names or benchmarks:
        try:
            for figure in benchmarks[name]():
                print(figure.as_row(), flush=True)
                figures.append(figure)
        except Missing as exc:
            print(f"{name} not measured: {exc}", file=sys.stderr)
    document = {"machine": machine, "figures": [figure.as_json() for figure in figures]}
    options.json.write_text(json.dumps(document, indent=2) + "\n")
    print(f"written to {options.json}", file=sys.stderr)


def _benchmarks(deliveries: int) -> Mapping[str, Callable[[], Iterable[Figure]]]:
    return {
        "startup": startup.measure,
        "keys": keys.measure,
        "parsing": parsing.measure,
        "accept": accept.measure,
        "processes": processes.measure,
        "engines": engines.measure,
        "backlog": sizes.measure_backlog,
        "receivers": sizes.measure_receivers,
        "inbox": sizes.measure_inbox,
        "deliveries": partial(sizes.measure_deliveries, deliveries),
        "lists": partial(lists.measure, deliveries),
        "console": partial(console.measure, deliveries),
        "executions": executions.measure,
        "patch": patch.measure,
        "aborts": aborts.measure,
        "waysback": ways_back.measure,
    }


def _machine() -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
    }


if __name__ == "__main__":
    main()
