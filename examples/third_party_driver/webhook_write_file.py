"""The driver ``writeFile``: keeps a list of pushed images in a file.

Files are made in the folder that the operator names in ``WRITE_FILE_FOLDER``: what a tenant
writes into a receiver must not lead anywhere else.
"""

import os
from pathlib import Path

from pydantic import Field

from webhook_service import (
    Change,
    Context,
    Done,
    DriverConfig,
    DriverError,
    InvalidConfig,
    Outcome,
    Plan,
    PushEvent,
    Unchanged,
    WebhookDriver,
)

FOLDER = "WRITE_FILE_FOLDER"


class WriteFileConfig(DriverConfig):
    """Which file, and what its lines look like."""

    file: str = Field(
        max_length=100,
        pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$",
        description="The name of the file, without a folder.",
    )
    prefix: str = Field(
        default="",
        max_length=100,
        pattern=r"^[^\r\n]*$",
        description="Text before the image in each line.",
    )


class WriteFile(WebhookDriver[WriteFileConfig]):
    """Adds a line for each pushed image that the file does not have yet."""

    Config = WriteFileConfig

    def validate(self, config: WriteFileConfig, context: Context) -> None:
        if not os.access(_folder(), os.W_OK):
            raise InvalidConfig(f"{FOLDER} does not name a folder that can be written to.")

    def slot(self, config: WriteFileConfig, event: PushEvent) -> str:
        return config.file

    def plan(self, config: WriteFileConfig, event: PushEvent, context: Context) -> Plan:
        line = _line(config, event)
        if line in _lines(_folder() / config.file):
            return Plan(notes=("The file has this line already.",))
        return Plan((_change(config, line),))

    def execute(self, config: WriteFileConfig, event: PushEvent, context: Context) -> Outcome:
        path, line = _folder() / config.file, _line(config, event)
        try:
            if line in _lines(path):
                return Unchanged("The file has this line already.")
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
        except OSError as exc:
            raise DriverError(f"{config.file} cannot be written: {exc.strerror}.") from exc
        return Done((_change(config, line),), f"Added to {config.file}.")


def _folder() -> Path:
    return Path(os.environ.get(FOLDER) or "/nonexistent")


def _line(config: WriteFileConfig, event: PushEvent) -> str:
    return f"{config.prefix}{event.image}"


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _change(config: WriteFileConfig, line: str) -> Change:
    return Change(config.file, "line", None, line)
