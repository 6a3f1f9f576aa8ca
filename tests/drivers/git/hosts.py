"""Repositories at each kind of host, and pushes to them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.forges import TOKEN, Forge
from tests.servers.git import NAME, Bare, GitServer
from webhook_drivers.git.config import GitCommitConfig
from webhook_drivers.git.driver import GitCommit
from webhook_service import Context, PushEvent
from webhook_service.testing import sample_context

FORGES = ("github", "gitlab", "gitea", "bitbucket")
HOSTS = ("git", *FORGES)
OPTIONS = {"allow_private": ["127.0.0.0/8"]}
PATH = "apps/shop/kustomization.yaml"
FILE = b"""# Who runs where.
resources: [shop.yaml]
images:
  - name: acme/shop   # ours
    newTag: "1.0.0"
"""
DIGEST = "sha256:" + "ab" * 32


@dataclass
class Host:
    """One repository, as people and as the driver see it."""

    bare: Bare
    config: Mapping[str, Any]
    server: Any

    def settings(self, **more: Any) -> GitCommitConfig:
        return GitCommitConfig.model_validate({**self.config, **more})


@contextmanager
def running(kind: str, folder: Path, files: Mapping[str, bytes] | None = None) -> Iterator[Host]:
    start: Callable[[Path], Any] = GitServer if kind == "git" else Forge
    with start(folder) as server:
        bare = server.repository() if kind == "git" else server.bare
        for path, data in (files or {PATH: FILE}).items():
            bare.write(path, data)
        config: dict[str, Any] = {
            "repository": f"{server.origin}/{NAME}.git",
            "via": kind,
            "token": TOKEN,
            "path": PATH,
        }
        if kind == "bitbucket":
            config["apiUrl"] = f"{server.origin}/2.0"
        yield Host(bare, config, server)


def push(tag: str = "1.1.0", **more: Any) -> PushEvent:
    said = {"registry": "docker.io", "repository": "acme/shop", "actor": "ann"}
    return PushEvent(**{**said, "tag": tag, **more})


def context(number: int = 1, **more: Any) -> Context:
    said = {
        "identity": f"push-{number}",
        "order_key": f"{number:020}",
        "execution": f"exe_{number:032x}",
        "receiver": "rcv_shop",
        "named": False,
    }
    return sample_context(**{**said, **more})


def driver() -> GitCommit:
    return GitCommit(OPTIONS)
