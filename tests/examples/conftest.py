"""The service as somebody installs it: a wheel, and environments that hold nothing else of ours."""

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A wheel is built from a copy: a build folder left in the tree would add stale files to it.
SOURCES = ("setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "CHANGELOG.md", "LICENSE")
PACKAGES = ("webhook_service", "drivers", "migrations", "docs/senders")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("third_party")


@pytest.fixture(scope="session")
def wheel(folder: Path) -> Path:
    """The service's own wheel, built from its sdist as that of a release is."""
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        shutil.copy(ROOT / name, source)
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    return build(source, folder, through_sdist=True)


def build(source: Path, folder: Path, *, through_sdist: bool = False) -> Path:
    out = folder / f"{source.name}-wheel"
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)]
    if not through_sdist:
        command.append("--wheel")
    subprocess.run(command, check=True, capture_output=True, timeout=100)
    (found,) = out.glob("*.whl")
    return found


def environment_with(folder: Path, *wheels: Path) -> Path:
    """The bin folder of a fresh environment with some wheels; what they need comes from this one.

    The folder of this environment is only on the path: its own .pth files, and with them the
    editable install, do not count there.
    """
    venv.create(folder, symlinks=True)
    scripts = folder / "bin"
    install = [sys.executable, "-m", "pip", "--python", str(scripts / "python"), "install"]
    subprocess.run([*install, "--quiet", "--no-deps", "--no-index", *map(str, wheels)], check=True)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    (site_packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    return scripts
