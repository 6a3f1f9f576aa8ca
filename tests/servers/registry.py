"""Debian's docker-registry (CNCF Distribution 2.8), with webhooks and logins where asked."""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.servers.process import Process, accepts, free_port
from tests.servers.requirements import require_program

USER, PASSWORD = "me", "hush-hush"
# htpasswd -nbB me hush-hush: the registry takes bcrypt only, which Python does not have.
HTPASSWD = f"{USER}:$2y$05$abcdefghijklmnopqrstuu4uoW5CdSDmY8cLkib7pLDRBlvRVo8Pe\n"


def htpasswd(folder: Path) -> dict[str, object]:
    """Basic authentication: every call needs the login of `USER`."""
    file = folder / "htpasswd"
    file.write_text(HTPASSWD)
    return {"htpasswd": {"realm": "tests", "path": str(file)}}


class Registry:
    """Use as a context manager; `notify` is the URL that every push is told to.

    `auth` is that part of the registry's configuration: `htpasswd` (see `htpasswd()`) or `token`.
    """

    def __init__(
        self,
        notify: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: str = "2s",
        threshold: int = 3,
        backoff: str = "1s",
        auth: Mapping[str, object] | None = None,
    ) -> None:
        program = require_program("docker-registry", "apt-get install docker-registry")
        self.address = f"127.0.0.1:{free_port()}"
        self.folder = Path(tempfile.mkdtemp(prefix="registry-"))
        endpoint = {
            "name": "webhook-service",
            "url": notify,
            "headers": {name: [value] for name, value in (headers or {}).items()},
            "timeout": timeout,
            "threshold": threshold,
            "backoff": backoff,
        }
        self._write_config([endpoint] if notify else [], auth)
        # The registry takes settings from REGISTRY_... variables too: they must not reach it.
        env = {key: value for key, value in os.environ.items() if not key.startswith("REGISTRY_")}
        self._process = Process([program, "serve", "config.yml"], self.folder, env=env)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            shutil.rmtree(self.folder)
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def start(self) -> None:
        port = int(self.address.rpartition(":")[2])
        self._process.start(lambda: accepts(port))

    def stop(self) -> None:
        self._process.stop()

    def _write_config(
        self, endpoints: Sequence[Mapping[str, object]], auth: Mapping[str, object] | None
    ) -> None:
        config: dict[str, object] = {
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "data")}},
            "http": {"addr": self.address, "secret": "for tests"},
            "notifications": {"endpoints": endpoints},
        }
        if auth:
            config["auth"] = auth
        (self.folder / "config.yml").write_text(json.dumps(config))
