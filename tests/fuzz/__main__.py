"""Fuzz formats and schemes: ``python -m tests.fuzz --seconds 60 [target]``; all at once without.

The input that broke something is kept in ``--artifacts`` and run again with ``--input``.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["webhook_service.formats", "webhook_service.schemes"]):
    from tests.fuzz.targets import TARGETS, Target, all_targets

MAX_BYTES = 64 * 1024


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="?", choices=TARGETS, metavar="target", help="a name")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--corpus", type=Path, help="a folder that keeps what was found")
    parser.add_argument("--artifacts", type=Path, default=Path())
    parser.add_argument("--input", type=Path, help="run this input once")
    parser.add_argument("--list", action="store_true", help="print the targets")
    options = parser.parse_args()
    if options.list:
        print("\n".join(TARGETS))
        return
    target = TARGETS[options.target] if options.target else all_targets()
    if options.input:
        target.run(options.input.read_bytes())
        return
    with tempfile.TemporaryDirectory() as folder:
        _fuzz(target, options.seconds, options.corpus or Path(folder), options.artifacts)


def _fuzz(target: Target, seconds: int, corpus: Path, artifacts: Path) -> None:
    """Ends the process: with 0, or with another code when an input broke the target."""
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    flags = {
        "max_total_time": seconds,
        "max_len": MAX_BYTES,
        "timeout": 10,
        "artifact_prefix": f"{artifacts}/",
        "print_final_stats": 1,
    }
    words = [sys.argv[0], *(f"-{name}={value}" for name, value in flags.items()), str(corpus)]
    atheris.Setup(words, target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
