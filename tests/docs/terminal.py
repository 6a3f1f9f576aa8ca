"""Runs the commands of a page as a reader does: block after block, in one shell."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.servers.process import free_port

# What a reader has done before, or does on a machine of their own.
DONE_BEFORE = ("pip", "make", "kubectl")
READY = """
import sys, time, urllib.request
for _ in range(600):
    try:
        sys.exit(urllib.request.urlopen(sys.argv[1], timeout=5).status != 200)
    except OSError:
        time.sleep(0.1)
sys.exit("The service did not start.")
"""


def shell_blocks(page: Path) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)


class Terminal:
    """One shell with a folder, a database and a port of its own.

    Args:
        programs: the bin folder of the environment; that of the tests if left out.
        environment: more variables.
        replaced: texts of the page that a reader replaces by their own.
        shims: what programs do instead, as lines of a shell.
    """

    def __init__(
        self,
        folder: Path,
        programs: Path | None = None,
        environment: Mapping[str, str] | None = None,
        replaced: Mapping[str, str] | None = None,
        shims: Mapping[str, str] | None = None,
    ) -> None:
        self.folder, self.replaced = folder, replaced or {}
        self._shims = folder / "shims"
        self._shims.mkdir(parents=True)
        for name, script in {**dict.fromkeys(DONE_BEFORE, "exit 0"), **(shims or {})}.items():
            self._shim(name, script)
        self.listen = f"127.0.0.1:{free_port()}"
        python = programs or Path(sys.executable).parent
        kept = {key: value for key, value in os.environ.items() if "WEBHOOK_SERVICE" not in key}
        self._environment = {
            **kept,
            "HOME": str(folder),
            "PATH": f"{self._shims}:{python}:{os.environ['PATH']}",
            "WEBHOOK_SERVICE_DATABASE_URL": f"sqlite:///{folder / 'service.db'}",
            "WEBHOOK_SERVICE_LISTEN": self.listen,
            **(environment or {}),
        }

    def own(self, text: str) -> str:
        """A text of the page as a reader has it."""
        for theirs, ours in self.replaced.items():
            text = text.replace(theirs, ours)
        return text

    def run(self, *blocks: str, timeout: float = 300.0) -> str:
        """Run blocks in one shell that ends at the first command that fails; gives its output."""
        script = ["trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT"]
        for block in map(self.own, blocks):
            script.append(block)
            if "webhook-service serve &" in block:
                script.append(f"python -c '{READY}' http://{self.listen}/readyz")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(script)],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def _shim(self, name: str, script: str) -> None:
        path = self._shims / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
