"""The files that say how to reach a cluster: which they are, and whether they have changed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

# https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
REFERENCES = {
    "clusters": ("cluster", ("certificate-authority",)),
    "users": ("user", ("client-certificate", "client-key", "tokenFile")),
}
Stamp = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class ConfigFiles:
    """Some files as they were; what a link points to counts, as in a volume of a Secret."""

    stamps: Mapping[Path, Stamp]

    @classmethod
    def now(cls, paths: Iterable[Path]) -> Self:
        return cls({path: _stamp(path) for path in paths})

    @property
    def changed(self) -> bool:
        """Whether one of them is another one by now: a few system calls."""
        return any(_stamp(path) != stamp for path, stamp in self.stamps.items())


def kubeconfigs(said: str) -> list[Path]:
    """The files of a setting, or of the variable KUBECONFIG, that lists several."""
    return [Path(each).expanduser() for each in said.split(os.pathsep) if each]


def referenced(files: Iterable[Path]) -> Iterator[Path]:
    """The files that kubeconfigs name: authorities, certificates, keys and tokens."""
    for file in files:
        config = _read(file)
        for part, (inner, fields) in REFERENCES.items():
            for entry in _list(config.get(part)):
                said = entry.get(inner)
                for field in fields:
                    if isinstance(said, dict) and isinstance(said.get(field), str):
                        yield file.parent / said[field].strip()


def run_plugins(files: Iterable[Path]) -> bool:
    """Whether kubeconfigs name programs that give credentials."""
    users = [entry.get("user") for file in files for entry in _list(_read(file).get("users"))]
    return any(isinstance(user, dict) and "exec" in user for user in users)


def _read(file: Path) -> Mapping[str, Any]:
    """A kubeconfig; an empty one where it cannot be read: the client says why."""
    import yaml

    try:
        found = yaml.safe_load(file.read_text())
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def _list(found: Any) -> list[Mapping[str, Any]]:
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
