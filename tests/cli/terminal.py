"""A program at a terminal of its own, as a person sits there: what it shows, and keys."""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from types import TracebackType
from typing import Self

COMMAND = str(Path(sys.executable).with_name("webhook-service"))
CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\r")
SECONDS = 180.0


class Terminal:
    """Use as a context manager.

    Args:
        words: the program and its arguments.
        columns: how wide the terminal is.
        env: variables beside those of this process; None removes one.
    """

    def __init__(self, *words: str, columns: int = 80, **env: str | None) -> None:
        self._words = words
        self._columns = columns
        self._env = {"TERM": "xterm", "COLUMNS": None, "NO_COLOR": None, **env}
        self.shown = ""

    def __enter__(self) -> Self:
        self._mine, other = os.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 24, self._columns, 0, 0))
        whole = {**os.environ, **self._env}

        def sit_down() -> None:
            # Passwords are asked for at the terminal of the session, whatever stdin is.
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            # A shell lets those that it starts in the background ignore Ctrl-C.
            signal.signal(signal.SIGINT, signal.SIG_DFL)

        self._process = subprocess.Popen(
            self._words,
            stdin=other,
            stdout=other,
            stderr=other,
            env={name: value for name, value in whole.items() if value is not None},
            start_new_session=True,
            preexec_fn=sit_down,
        )
        os.close(other)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._mine)

    @property
    def text(self) -> str:
        """What is shown, without colours and movements."""
        return CONTROL.sub("", self.shown)

    def wait_for(self, text: str) -> None:
        """Read until something is shown."""
        deadline = time.monotonic() + SECONDS
        while text not in self.text:
            assert time.monotonic() < deadline and self._read(1.0), f"no {text!r}: {self.text}"

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._mine, keys.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.type("\x03")

    def ended(self) -> int:
        """Read to the end; the exit code."""
        deadline = time.monotonic() + SECONDS
        while self._read(1.0):
            assert time.monotonic() < deadline, self.text
        return self._process.wait(SECONDS)

    def _read(self, seconds: float) -> bool:
        """Read what is there; False at the end."""
        ready, _, _ = select.select([self._mine], [], [], seconds)
        if not ready:
            return True
        try:
            found = os.read(self._mine, 65536)
        except OSError:  # nobody has the other end any more
            return False
        self.shown += found.decode(errors="replace")
        return bool(found)
