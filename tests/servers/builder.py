"""The image as `make image` builds it, on a minimal Debian: no registry need be reached."""

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from tests.servers.requirements import require, require_program

ROOT = Path(__file__).parents[2]
# More words for the builder, such as `-v` for the configuration of pip and certificates.
MORE = "TEST_IMAGE_BUILD_ARGS"
MINUTES = 60
# What slim images leave out, too.
UNREAD = ("doc", "man", "locale")


class Builder:
    """With its own storage, and its own copy of the sources, both in `folder`."""

    def __init__(self, folder: Path) -> None:
        require("root", os.geteuid() == 0, "run this test as root")
        self._debian = require_program("mmdebstrap", "apt-get install mmdebstrap")
        self._folder, self.sources = folder, folder / "sources"
        program = require_program("buildah", "apt-get install buildah")
        storage = ("--root", folder / "storage", "--runroot", folder / "run")
        self._words = [str(word) for word in (program, *storage, "--storage-driver", "vfs")]
        self._copy_sources()

    def _copy_sources(self) -> None:
        listed = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True)
        for name in filter(None, listed.split("\0")):
            (self.sources / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.sources / name)

    @cached_property
    def base(self) -> str:
        """A minimal Debian 12 with the Python that the image needs."""
        archive = self._folder / "base.tar"
        packages = "python3-minimal,libpython3-stdlib,ca-certificates,tzdata,usr-is-merged"
        unread = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in UNREAD]
        _run(
            *(self._debian, "--variant=minbase", f"--include={packages}", *unread),
            *("--aptopt=APT::Install-Recommends false", "bookworm", archive),
            "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        )
        container = self.run("from", "scratch").strip()
        self.run("add", container, str(archive), "/")
        self.run("commit", container, "localhost/base")
        return "localhost/base"

    def run(self, *words: str) -> str:
        return _run(*self._words, *words)

    def make(self, target: str, image: str = "") -> None:
        """Without a cache: nothing is taken over from another build."""
        given = f"--isolation chroot --no-cache --pull=never --build-arg BASE={self.base}"
        _run(
            *("make", "-C", self.sources, target, f"BUILDER={' '.join(self._words)}"),
            *(f"IMAGE={image}", "SOURCE_DATE_EPOCH=1700000000"),
            f"BUILD_ARGS={given} {os.environ.get(MORE, '')}",
        )

    def layout(self, image: str) -> "Layout":
        """The image as it would be pushed."""
        folder = self._folder / image.rpartition("/")[2]
        self.run("push", image, f"oci:{folder}")
        return Layout(folder)


class Layout:
    """An OCI layout of one image."""

    def __init__(self, folder: Path) -> None:
        self._blobs = folder / "blobs/sha256"
        (entry,) = json.loads((folder / "index.json").read_text())["manifests"]
        self.digest = str(entry["digest"])

    @property
    def size(self) -> int:
        """Packed, in bytes."""
        return sum(blob.stat().st_size for blob in self._blobs.iterdir())

    def files(self, suffix: str) -> Iterator[str]:
        """The text of each file whose name ends so."""
        manifest = json.loads((self._blobs / self.digest.partition(":")[2]).read_text())
        for layer in manifest["layers"]:
            with tarfile.open(self._blobs / layer["digest"].partition(":")[2]) as archive:
                for member in archive:
                    if member.name.endswith(suffix) and (file := archive.extractfile(member)):
                        yield file.read().decode()


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60 * MINUTES)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout
