"""An application's folder: the recipes of docs/embedding.md, a database, and a driver."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import SECRET
from webhook_service import DriverConfig, Settings, WebhookDriver, WebhookService

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "embedding.md").read_text()
PROJECT = "shop-team"
BODY = b'{"repository": {"repo_name": "acme/shop"}, "push_data": {"tag": "%d"}}'
DRIVER = """
from webhook_service import Change, Done, DriverConfig, WebhookDriver


class Note(WebhookDriver):
    Config = DriverConfig

    def slot(self, config, event):
        return event.image

    def execute(self, config, event, context):
        return Done((Change("note", "image", None, event.image),))
"""


class Folder:
    """Where an application runs; the driver `note` is installed there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for source in re.findall(r"```python\n(# (\w+\.py)\n.*?)```", PAGE, re.DOTALL):
            (path / source[1]).write_text(source[0])
        (path / "webhook_note.py").write_text(DRIVER)
        installed = path / "webhook_note-1.dist-info"
        installed.mkdir()
        (installed / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: webhook-note\nVersion: 1\n"
        )
        (installed / "entry_points.txt").write_text(
            "[webhook_service.drivers]\nnote = webhook_note:Note\n"
        )
        self.move_to(f"sqlite:///{path / 'service.db'}")

    def move_to(self, database_url: str) -> None:
        """Make the receiver in a database that has none yet."""
        self.database_url = database_url
        command = [Path(sys.executable).with_name("webhook-service"), "migrate"]
        subprocess.run(command, env=self.environment, check=True, timeout=120)
        with self.open(run=False) as service:
            body = {"name": "note", "driver": "note", "verify": {"scheme": "none"}}
            body["match"] = {"repositories": ["acme/shop"]}  # type: ignore[assignment]
            receiver = service.create_receiver(PROJECT, body)
            self.key = service.receiver_key(PROJECT, receiver.id)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if "WEBHOOK_SERVICE" not in name}
        return kept | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(self.path),
            "PYTHONWARNINGS": "error",
            "WEBHOOK_SERVICE_DATABASE_URL": self.database_url,
            "WEBHOOK_SERVICE_SECRET_KEY": SECRET,
        }

    def open(self, *, run: bool) -> WebhookService:
        settings = Settings(database_url=self.database_url, secret_key=SECRET)
        service = WebhookService.open(settings, run=run)
        service.drivers.add("note", _driver())
        return service

    def states(self) -> list[str]:
        """What came of all executions."""
        with self.open(run=False) as service:
            return [str(each.state) for each in service.list_executions(PROJECT).items]


def _driver() -> type[WebhookDriver[DriverConfig]]:
    names: dict[str, Any] = {}
    exec(DRIVER, names)
    found: type[WebhookDriver[DriverConfig]] = names["Note"]
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)
