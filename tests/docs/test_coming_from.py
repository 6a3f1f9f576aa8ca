"""Pages for people who come from other tools: what they name is there."""

import json
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from webhook_service.model.receiver import ReceiverSpec

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs/coming-from").glob("*.md"))
COMMAND = re.compile(r"`webhook-service ([a-z-]+(?: [a-z-]+)?)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_receivers_of_the_page_are_such(page: Path) -> None:
    for block in re.findall(r"```json\n(.*?)```", page.read_text(), re.DOTALL):
        values = json.loads(block)
        driver = values["driver"]
        config = values.pop(f"{driver}Config")
        assert ReceiverSpec.model_validate({**values, "config": config}).driver == driver


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_the_page_are_there(page: Path) -> None:
    program = str(Path(sys.executable).with_name("webhook-service"))
    named = set(COMMAND.findall(page.read_text()))
    assert named
    for words in named:
        done = subprocess.run([program, *words.split(), "--help"], capture_output=True, text=True)
        assert done.returncode == 0, f"{words}: {done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_plug_ins_of_the_page_are_there(page: Path) -> None:
    found = {
        "driver": entry_points(group="webhook_service.drivers").names,
        "format": entry_points(group="webhook_service.formats").names,
        "scheme": entry_points(group="webhook_service.schemes").names,
    }
    for kind, name in re.findall(r"the (driver|format|scheme) `([A-Za-z]+)`", page.read_text()):
        assert name in found[kind]
