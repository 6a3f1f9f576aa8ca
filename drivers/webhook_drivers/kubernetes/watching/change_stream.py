"""An answer without an end: a JSON object per line, as long as the server has something to say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from webhook_drivers.kubernetes.api.resources import Json

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

CHUNK = 64 * 1024
MAX_LINE = 10 * 1024 * 1024


class ChangeStream:
    """One such answer; ``stop`` may be called from another thread.

    Attributes:
        status: the status of the answer.
    """

    def __init__(self, response: BaseHTTPResponse) -> None:
        self.status = response.status
        self._response = response

    def __iter__(self) -> Iterator[Json]:
        """
        Raises:
            ValueError: a line is no object, or longer than 10 MiB.
            Exception: what sockets and urllib3 raise.
        """
        rest = b""
        while chunk := self._response.read1(CHUNK, decode_content=False):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > MAX_LINE:
                raise ValueError(f"a line is longer than {MAX_LINE} bytes")
            for line in lines:
                if line.strip():
                    found = json.loads(line)
                    if not isinstance(found, dict):
                        raise ValueError("a line is no object")
                    yield found

    def stop(self) -> None:
        """End whoever waits for the next line."""
        try:
            self._response.shutdown()
        except (ValueError, RuntimeError, OSError):
            pass  # it has ended already

    def close(self) -> None:
        self._response.close()
