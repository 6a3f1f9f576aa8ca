"""How commands fail: one line on stderr, and an exit code."""

from __future__ import annotations

import os
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


DEBUG = "WEBHOOK_SERVICE_DEBUG"
MAX_TEXT = 500
# Typer's own, which it turns into exit codes by itself; OSError holds its broken pipe.
_TYPERS_OWN = (typer.Exit, typer.Abort, typer.TyperException, typer.BadParameter, BrokenPipeError)


class Commands(TyperGroup):
    """The root of all commands, where every failure ends."""

    def invoke(self, ctx: Any) -> Any:
        with reported():
            return super().invoke(ctx)


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
        fail(redacted(with_cause(exc)))
    except _TYPERS_OWN:
        raise
    except Exception as exc:
        if os.environ.get(DEBUG):
            raise
        if isinstance(exc, OSError) and exc.filename is not None:
            fail(f"{exc.filename}: {exc.strerror}.")
        text = redacted(" ".join(f"{type(exc).__name__}: {exc}".split()))[:MAX_TEXT]
        fail(f"{text} (unexpected; {DEBUG}=1 shows where)")
