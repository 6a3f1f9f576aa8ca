"""How commands fail: one line on stderr, and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from webhook_service.errors import WebhookServiceError, with_cause
from webhook_service.telemetry.redaction import redacted


class ExitCode(IntEnum):
    """What the exit of a command says; typer itself ends with 2 and 130."""

    DONE = 0
    FAILED = 1
    WRONG_USE = 2
    STILL_OPEN = 3
    INTERRUPTED = 130
    CLOSED_PIPE = 141


DEBUG = "WEBHOOK_SERVICE_DEBUG"
MAX_TEXT = 500
PYDANTICS = "Value error, "
UNAUTHENTICATED = 401
WHICH_TOKEN = " Commands send the token of --token, WEBHOOK_SERVICE_TOKEN or the context."
NOT_TEXT = (
    "an argument, a variable or a file has bytes that are not UTF-8 text: write it in UTF-8, and "
    "use a UTF-8 locale, such as LC_ALL=C.UTF-8."
)
# Typer's own, which it turns into exit codes by itself.
_TYPERS_OWN = (typer.Exit, typer.Abort, typer.TyperException, typer.BadParameter)
# What a write says of where it goes to; such an error names no file.
_NOT_WRITTEN = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF, errno.EROFS}
)


class Commands(TyperGroup):
    """The root of all commands, where every failure ends."""

    def make_context(self, *args: Any, **more: Any) -> Any:
        with _plain():
            return super().make_context(*args, **more)

    def invoke(self, ctx: Any) -> Any:
        with reported(), _plain():
            return super().invoke(ctx)


@contextmanager
def _plain() -> Iterator[None]:
    """Say of a wrong value what is wrong; Typer lets Pydantic put words of its own before it."""
    try:
        yield
    except typer.BadParameter as exc:
        exc.message = exc.message.removeprefix(PYDANTICS)
        raise


def fail(message: str) -> NoReturn:
    """End the command as failed."""
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(ExitCode.FAILED)


@contextmanager
def reported() -> Iterator[None]:
    """End the command with one line for whatever is raised meanwhile."""
    try:
        yield
    except WebhookServiceError as exc:
        # Of a server's answer; its class needs the client, which takes time to load.
        refused = getattr(exc, "http_status", None) == UNAUTHENTICATED
        fail(redacted(with_cause(exc)) + (WHICH_TOKEN if refused else ""))
    except _TYPERS_OWN:
        raise
    except BrokenPipeError:
        _drop_output()
        raise typer.Exit(ExitCode.CLOSED_PIPE) from None
    except Exception as exc:
        if os.environ.get(DEBUG):
            raise
        if isinstance(exc, UnicodeEncodeError) and "surrogates" in exc.reason:
            raise typer.BadParameter(NOT_TEXT) from exc
        if isinstance(exc, OSError) and exc.filename is not None:
            fail(f"{exc.filename}: {exc.strerror}.")
        if isinstance(exc, OSError) and exc.errno in _NOT_WRITTEN:
            fail(f"the output cannot be written: {exc.strerror}.")
        text = redacted(" ".join(f"{type(exc).__name__}: {exc}".split()))[:MAX_TEXT]
        fail(f"{text} (unexpected; {DEBUG}=1 shows where)")


def open_missing_streams() -> None:
    """Let a command run whose streams were closed by whoever starts it (``>&-``)."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))


def _drop_output() -> None:
    """Nobody reads it any more, and Python would complain of that when it ends."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nothing, stream)
