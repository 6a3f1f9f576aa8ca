"""Short snippets of pages that are about something else: each runs as it stands."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import httpx
import pytest

from tests.docs.test_docs import ROOT, blocks
from tests.support import SECRET, sqlite_url
from webhook_service import Settings, WebhookService

ROLES = [
    pytest.param(dedent(block).partition(" | kubectl")[0].partition(" \\\n")[0], id=page)
    for page in ("drivers", "receivers", "strategies")
    for block in blocks((ROOT / f"docs/{page}.md").read_text(), "sh")
    if "webhook_drivers.kubernetes.manifests" in block
]


@pytest.mark.parametrize("command", ROLES)
def test_the_roles_of_the_page_are_manifests(command: str) -> None:
    words = command.split()
    assert words[:3] == ["python", "-m", "webhook_drivers.kubernetes.manifests"]
    done = subprocess.run(
        [sys.executable, *words[1:]], capture_output=True, text=True, timeout=60, check=True
    )
    kinds = {item["kind"] for item in json.loads(done.stdout)["items"]}
    assert kinds == {"Role"}


def test_the_console_is_mounted_beside_the_host(tmp_path: Path) -> None:
    (snippet,) = blocks((ROOT / "docs/console.md").read_text(), "python")
    settings = Settings(database_url=sqlite_url(tmp_path), secret_key=SECRET)
    names: dict[str, Any] = {
        "settings": settings,
        "service": WebhookService.open(settings, run=False),
    }
    exec(snippet, names)
    app = names["app"]

    async def see() -> str:
        visit = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=visit, base_url="http://hooks.test") as browser,
        ):
            return (await browser.get("/console/login")).text

    assert "API token" in asyncio.run(see())
