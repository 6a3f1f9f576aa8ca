"""What a distribution has installed, by the list that its installer wrote.

``RECORD`` names each file with its SHA-256:
https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file
"""

from __future__ import annotations

import csv
import hashlib
import importlib.metadata
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path

# What comes with the wheel, and says what it is; the rest of that folder is the installer's.
_OF_THE_WHEEL = ("METADATA", "entry_points.txt")


@dataclass(frozen=True, slots=True)
class InstalledFiles:
    """The files that one wheel brings, wherever and by whatever it was installed.

    Scripts, bytecode and the installer's own notes do not count: they differ from one machine to
    the next.

    Attributes:
        files: the SHA-256 of each, as RECORD writes it, by its path; empty if the module of the
            plug-in is not among them, as in an editable installation.
    """

    distribution: importlib.metadata.Distribution | None
    files: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, point: importlib.metadata.EntryPoint) -> InstalledFiles:
        """The files of the distribution that an entry point comes with."""
        text = (point.dist.read_text("RECORD") or "") if point.dist else ""
        files = {row[0]: row[1] for row in csv.reader(text.splitlines()) if len(row) > 1 and row[1]}
        counted = {path: found for path, found in files.items() if _counts(path)}
        module = point.module.replace(".", "/")
        if not any(path.startswith((f"{module}.", f"{module}/__init__.")) for path in counted):
            return cls(point.dist, ())
        return cls(point.dist, tuple(sorted(counted.items())))

    @property
    def hash(self) -> str:
        """One for all of them, such as ``sha256:6e3f…``; empty if there are none."""
        if not self.files:
            return ""
        lines = "".join([f"{path},{found}\n" for path, found in self.files])
        return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"

    def changed(self) -> str | None:
        """The first file that is not as it was installed."""
        for path, written in self.files:
            kind, _, expected = written.partition("=")
            if self.distribution is None or _digest(self.distribution, path, kind) != expected:
                return path
        return None


def _counts(path: str) -> bool:
    parts = path.split("/")
    if path.startswith(("/", "..")) or "__pycache__" in parts:
        return False
    return not parts[0].endswith(".dist-info") or parts[1:] in [[name] for name in _OF_THE_WHEEL]


def _digest(distribution: importlib.metadata.Distribution, path: str, kind: str) -> str | None:
    try:
        data = Path(str(distribution.locate_file(path))).read_bytes()
        return urlsafe_b64encode(hashlib.new(kind, data).digest()).rstrip(b"=").decode()
    except (OSError, ValueError):
        return None
