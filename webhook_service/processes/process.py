"""A host process: its place among others, what it says, and how it ends."""

from __future__ import annotations

import json
import math
import socket
import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress

from webhook_service.settings import Settings

# Deaths that are longer ago do not count.
WITHIN_SECONDS = 60.0
# So many deaths count at most.
DEATHS = 5
START_SECONDS = 60.0
# Less than systemd and Kubernetes wait.
END_SECONDS = 25.0
TELL_SECONDS = 5.0


class HostProcess:
    """A socket at the address, and the process that serves it now.

    Attributes:
        due: when it is to be started, or to be killed, by ``time.monotonic``.
        url: where it takes calls, once it has said so.
    """

    def __init__(
        self,
        number: int,
        listener: socket.socket,
        command: Sequence[str],
        settings: Settings,
        environment: Mapping[str, str],
    ) -> None:
        self.number = number
        self.listener = listener
        self.due = math.inf
        self.url: str | None = None
        self._command = command
        self._environment = environment
        told = {"number": number, "settings": settings.model_dump(mode="json")}
        self._told = json.dumps(told).encode() + b"\n"
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._deaths: deque[float] = deque(maxlen=DEATHS)

    @property
    def is_taken(self) -> bool:
        return self._process is not None

    @property
    def pid(self) -> int:
        return 0 if self._process is None else self._process.pid

    @property
    def files(self) -> list[socket.socket]:
        """What becomes readable when the process says something, or ends."""
        return [] if self._channel is None else [self._channel]

    def start(self, now: float) -> None:
        self._channel, theirs = socket.socketpair()
        files = (self.listener.fileno(), theirs.fileno())
        with theirs:
            # In a session of its own: Ctrl-C comes to the parent alone, and is passed on once.
            self._process = subprocess.Popen(
                [*self._command, *map(str, files)],
                stdin=subprocess.DEVNULL,
                pass_fds=files,
                env=self._environment,
                start_new_session=True,
            )
        self._channel.settimeout(TELL_SECONDS)
        with suppress(OSError):  # it has ended already, which is noticed below
            self._channel.sendall(self._told)
        self._channel.setblocking(False)
        self.due = now + START_SECONDS

    def hear(self) -> bytes:
        """What the process has said meanwhile."""
        if self._channel is None:
            return b""
        try:
            said = self._channel.recv(4096)
        except BlockingIOError:
            return b""
        except OSError:
            said = b""
        if not said:
            self._hang_up()
        return said

    def pass_on(self, number: int, now: float) -> None:
        """Pass a signal on; the process has a while to end."""
        if self._process is not None:
            self.due = min(self.due, now + END_SECONDS)
            self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self.due = math.inf
            self._process.kill()

    def ended(self) -> int | None:
        """The exit code of a process that has ended; the place is free then."""
        code = None if self._process is None else self._process.poll()
        if code is not None:
            self._process, self.due = None, math.inf
            self._hang_up()
        return code

    def count_death(self, now: float) -> int:
        """How many processes have died here of late, with this one."""
        self._deaths.append(now)
        return sum(now - each < WITHIN_SECONDS for each in self._deaths)

    def close(self) -> None:
        """Leave nothing behind, whatever went wrong."""
        self._hang_up()
        if self._process is not None:
            self._process.kill()
            self._process.wait(END_SECONDS)

    def _hang_up(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
