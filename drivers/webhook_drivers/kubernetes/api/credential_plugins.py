"""Credential plug-ins of a kubeconfig: what they say when they fail, and how long they may take.

They are programs of others. The client waits for ever for one that hangs. What one says that fails
it writes into the root logger and goes on without credentials; the cluster would then say
"Unauthorized", and nobody would know why.
https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from webhook_service import Retry

PLUGIN_SECONDS = 20.0
"""Less than a step may take; and a person who has to log in is not there."""
MAX_READ = 4000
MAX_WORDS = 300
MASK = "…"
PREFIX = "exec: "
_NAMES = "password|passwd|secret|token|credential|authorization|api[_-]?key|assertion"
_RULES = (
    (re.compile(r"(://)[^/\s'\"]{1,500}@"), rf"\1{MASK}@"),
    (re.compile(r"\b(bearer|basic)\s+\S+", re.IGNORECASE), rf"\1 {MASK}"),
    (re.compile(rf"((?:{_NAMES})[\w-]{{0,40}}['\"]?\s*[=:]\s*)\S+", re.IGNORECASE), rf"\1{MASK}"),
    # What looks like a key: long, of letters and digits.
    (re.compile(r"\b(?=[\w+=.~-]{0,500}\d)(?=[\w+=.~-]{0,500}[A-Za-z])[\w+=.~-]{20,}"), MASK),
)

T = TypeVar("T")


@contextmanager
def plugin_words() -> Iterator[list[str]]:
    """What plug-ins say in this thread, while the block runs; it does not reach the log."""
    heard: list[str] = []
    thread = threading.get_ident()

    def listen(record: logging.LogRecord) -> bool:
        # Not `record.thread`: the host's log leaves it out.
        if threading.get_ident() != thread:
            return True
        heard.append(spoken(record.getMessage()))
        return False

    root = logging.getLogger()
    root.addFilter(listen)
    try:
        yield heard
    finally:
        root.removeFilter(listen)


def spoken(text: str) -> str:
    """One line of it, bounded, with a mask for what is a secret or looks like one."""
    said = " ".join(text[:MAX_READ].split()).removeprefix(PREFIX)
    for pattern, mask in _RULES:
        said = pattern.sub(mask, said)
    return said[:MAX_WORDS]


class Patience:
    """Calls what may hang in a thread of its own, one at a time.

    So one hanging plug-in costs one thread, and no worker. It is asked again when it has ended.

    Args:
        cluster: whose plug-in it is, for messages.
    """

    def __init__(self, cluster: str, seconds: float = PLUGIN_SECONDS) -> None:
        self._cluster = cluster
        self._seconds = seconds
        self._lock = threading.Lock()
        self._going: Future[Any] | None = None

    def call(self, job: Callable[[], T]) -> T:
        """What the job gives, or raises.

        Raises:
            Retry: it takes too long, or an earlier one still does.
        """
        with self._lock:
            if self._going is not None and not self._going.done():
                raise self._hangs("still does not answer")
            asked: Future[T] = Future()
            self._going = asked
            thread = threading.Thread(target=_run, args=(job, asked), daemon=True)
            thread.name = "credential-plugin"
            thread.start()
            try:
                return asked.result(self._seconds)
            except TimeoutError as error:
                if asked.done():
                    raise
                raise self._hangs(f"did not answer in {self._seconds:g} s") from error

    def _hangs(self, how: str) -> Retry:
        message = f"The credential plug-in of cluster {self._cluster} {how}: run it by hand."
        return Retry(message, code="plugin_failed")


def _run(job: Callable[[], T], asked: Future[T]) -> None:
    try:
        asked.set_result(job())
    except BaseException as error:
        asked.set_exception(error)
