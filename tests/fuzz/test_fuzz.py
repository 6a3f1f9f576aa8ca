"""A few seconds of fuzzing; ``python -m tests.fuzz`` runs as long as one likes."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.tables import formats, schemes
from tests.fuzz.targets import TARGETS, check_parsed
from tests.servers.requirements import require
from webhook_service.formats.format import Dropped, Parsed

ROOT = Path(__file__).parents[2]
SECONDS = 4


def test_every_format_and_scheme_is_fuzzed() -> None:
    names = {name.split()[1] for name in TARGETS if name.startswith("scheme ")}
    assert set(formats().names) <= set(TARGETS)
    assert set(schemes().names) == names


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_takes_its_seeds(name: str) -> None:
    target = TARGETS[name]
    assert target.seeds
    for data in (b"", b"\n\n", *target.seeds):
        target.run(data)


def test_an_answer_that_breaks_the_contract_is_found() -> None:
    with pytest.raises(AssertionError):
        check_parsed(Parsed(dropped=(Dropped("push", ""),)))


def test_no_input_breaks_a_format_or_scheme(tmp_path: Path) -> None:
    require(
        "atheris", find_spec("atheris"), "pip install atheris; its wheels are for Linux on x86_64"
    )
    words = ["-m", "tests.fuzz", "--seconds", str(SECONDS), "--artifacts", str(tmp_path)]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, list(tmp_path.iterdir())) == (0, []), done.stderr[-3000:]
    assert "stat::number_of_executed_units" in done.stderr
