"""Start a server program for the tests, and be sure that it ends with them."""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from shutil import which

# Below every system's range for outgoing connections, so that no client socket takes a port
# between our asking for it and the server's binding to it.
PORTS = range(12000, 30000)


class StartFailed(Exception):
    """The server ended or was not ready in time; the message holds the end of its log."""


def free_port() -> int:
    while True:
        port = random.SystemRandom().choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_until(ready: Callable[[], object], timeout: float, every: float = 0.02) -> bool:
    """True as soon as `ready()` is, False when `timeout` seconds have passed."""
    end = time.monotonic() + timeout
    while not ready():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True


class Process:
    """One server in a process group of its own, its output in `folder/name.log`.

    On Linux it also ends when the thread that started it does, so start it from the main thread.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        folder: Path,
        *,
        name: str = "",
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        death_signal: str = "KILL",
    ) -> None:
        self.command = [str(word) for word in command]
        self.folder = folder
        self.name = name or Path(command[0]).name
        self.log = folder / f"{self.name}.log"
        self._env = env
        self._prefix = _setpriv(user, death_signal)
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        assert self._child is not None, f"{self.name} was not started"
        return self._child.pid

    def start(self, ready: Callable[[], object], timeout: float = 60) -> None:
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                [*self._prefix, *self.command],
                cwd=self.folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(lambda: not self.running or ready(), timeout)
        if not self.running or not ready():
            state = f"not ready after {timeout} s" if self.running else f"ended: {self.exit_code}"
            self.stop()
            raise StartFailed(f"{self.name} {state}\n{self.tail()}")

    @property
    def exit_code(self) -> int | None:
        return self._child.poll() if self._child else None

    def stop(self, first: signal.Signals = signal.SIGTERM, patience: float = 10) -> None:
        """Ask the process to end with `first`; after `patience` seconds kill its whole group."""
        if self._child is None:
            return
        if self.running:
            self._child.send_signal(first)
        try:
            self._child.wait(patience)
        except subprocess.TimeoutExpired:
            os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()

    def kill(self) -> None:
        """The process is gone without any chance to tidy up, as after a power cut."""
        self.stop(signal.SIGKILL)

    def tail(self, lines: int = 30) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def _setpriv(user: str | None, death_signal: str) -> list[str]:
    """util-linux's way to set what Popen could only set by unsafe Python code after the fork."""
    program = which("setpriv")
    if program is None:
        return []
    identity = [f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
    return [program, f"--pdeathsig={death_signal}", *identity]
