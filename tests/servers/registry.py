"""Debian's docker-registry (CNCF Distribution 2.8) that calls webhooks."""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.servers.process import Process, accepts, free_port
from tests.servers.requirements import require_program


class Registry:
    """Use as a context manager; `notify` is the URL that every push is told to."""

    def __init__(
        self,
        notify: str,
        headers: Mapping[str, str] | None = None,
        timeout: str = "2s",
        threshold: int = 3,
        backoff: str = "1s",
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
        self._write_config(endpoint)
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

    def _write_config(self, endpoint: Mapping[str, object]) -> None:
        config = {
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "data")}},
            "http": {"addr": self.address, "secret": "for tests"},
            "notifications": {"endpoints": [endpoint]},
        }
        (self.folder / "config.yml").write_text(json.dumps(config))
