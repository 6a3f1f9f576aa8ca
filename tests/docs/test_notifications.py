"""The page about notifications: its commands run, and its tables say what there is."""

import re
import shlex
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.docs.test_docs import ROOT
from tests.notifications.conftest import Target
from tests.notifications.test_kinds import NOTICE, Sender
from tests.support import sqlite_url
from webhook_service.cli.app import app
from webhook_service.engine.backoff import PAUSES
from webhook_service.model.notification import ON
from webhook_service.model.people.ballot import LINK_LIFETIME
from webhook_service.net.outbound import Outbound
from webhook_service.plugins.instances import new_notification_kinds
from webhook_service.store.people.notifications import MAX_NOTIFICATIONS

PAGE = (ROOT / "docs/notifications.md").read_text()
LOOPBACK = (ip_network("127.0.0.0/8"),)
KINDS = new_notification_kinds()


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as target:
        yield target


def rows(heading: str) -> dict[str, str]:
    """The table below a heading: what stands in the first column, and the rest of its row."""
    _, _, rest = PAGE.partition(f"## {heading}\n")
    found = re.findall(r"^\| `(\w+)` \| (.*) \|$", rest.partition("\n## ")[0], re.MULTILINE)
    return dict(found)


def test_all_that_can_be_told_is_in_the_table() -> None:
    assert set(rows("What is told")) == {"on", *ON}


def test_every_kind_is_in_the_table_with_its_fields() -> None:
    table = rows("Kinds")
    assert set(table) == set(KINDS.names)
    for name, said in table.items():
        fields = KINDS.get(name).Config.model_fields
        wanted = {field.alias or own for own, field in fields.items()}
        named = set(re.findall(r"`(\w+)`", said))
        assert wanted <= named, (name, wanted - named)


def test_figures_are_those_of_the_code() -> None:
    assert f"up to {MAX_NOTIFICATIONS} notifications" in PAGE
    assert f"at the latest {LINK_LIFETIME.days} days after it was sent" in PAGE
    said = re.search(r"again: after (.*?)\. If", PAGE.replace("\n", " "))
    assert said is not None
    units = {"s": 1, "m": 60, "h": 3600}
    told = re.findall(r"(\d+) ([smh])", said[1])
    assert [int(number) * units[unit] for number, unit in told] == list(PAUSES)


def test_the_commands_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEBHOOK_SERVICE_DATABASE_URL", sqlite_url(tmp_path))
    monkeypatch.setenv("WEBHOOK_SERVICE_BASE_URL", "https://hooks.example.com")
    runner = CliRunner()
    text = re.sub(r"^ {3}", "", PAGE, flags=re.MULTILINE)
    (config,) = re.findall(r"^```json\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    Path("slack.json").write_text(config)
    found = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in found for line in block.replace("\\\n", " ").splitlines()]
    for line in lines:
        program, *words = shlex.split(line)
        assert program == "webhook-service"
        done = runner.invoke(app, words)
        assert done.exit_code == 0, done.stderr
        assert "XXXX" not in done.stdout
    assert len(lines) == 4


def test_the_kind_of_ones_own_is_told(target: Target) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    made: dict[str, Any] = {}
    exec(code, made)
    kinds = new_notification_kinds()
    kinds.add("pager", made["Pager"])
    outbound = Outbound(allow_private=LOOPBACK)
    said = Sender(kinds, outbound)("pager", {"url": target.url}, NOTICE)
    assert said == "127.0.0.1 took it."
    assert target.got[0].json == {"text": f"{NOTICE.image}: failed", "id": "exe_9"}
    outbound.close()
