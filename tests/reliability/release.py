"""The first release, built from the history of this repository."""

import subprocess
import sys
import tarfile
import venv
from io import BytesIO
from pathlib import Path
from sysconfig import get_path

ROOT = Path(__file__).parents[2]
FIRST_RELEASE = "2aa1b54"


def history_has_it() -> bool:
    """Not in a shallow clone, nor where the repository was exported."""
    commit = f"{FIRST_RELEASE}^{{commit}}"
    done = subprocess.run(["git", "cat-file", "-e", commit], cwd=ROOT, capture_output=True)
    return done.returncode == 0


def build(folder: Path) -> str:
    """Install it into an environment of its own; gives the path of its command.

    The libraries are those of the tests: what is old is our own code.
    """
    archive = subprocess.check_output(["git", "archive", FIRST_RELEASE], cwd=ROOT)
    source, environment = folder / "source", folder / "environment"
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(source, filter="data")
    venv.create(environment)
    python = environment / "bin/python"
    (own,) = environment.glob("lib/python*/site-packages")
    (own / "libraries.pth").write_text(get_path("purelib"))
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", python, "install", "-q"),
            *("--no-deps", "--no-build-isolation", "--disable-pip-version-check", source),
        ],
        check=True,
    )
    program = str(environment / "bin/webhook-service")
    said = subprocess.check_output([program, "--version"], text=True)
    assert said.strip() == "webhook-service 0.1.0"
    return program
