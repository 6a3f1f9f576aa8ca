"""The client's types, in an application of its own: what fits passes, what does not is found."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]
CHECKERS = {
    "mypy": [str(BIN / "mypy"), "--strict", "--config-file=", "--follow-imports=silent"],
    "pyright": [str(BIN / "basedpyright"), "--level", "error", "--pythonpath", sys.executable],
}
EXAMPLE = ROOT / "examples" / "client" / "deploy_gate.py"
RIGHT = """
import asyncio
from webhook_service.client import AsyncClient, Client

def images(client: Client) -> list[str]:
    return [revision.image for revision in client.receivers.history("rcv_1")]

async def messages(client: AsyncClient) -> list[str]:
    found = await client.executions.wait("exe_1", seconds=5)
    told = [each.message async for each in client.executions.follow(found.id)]
    return [found.state.value, *told]

def main() -> None:
    with Client("https://hooks.example.com", "wht_x") as client:
        print(images(client), client.tokens.create)
    asyncio.run(messages(AsyncClient("https://hooks.example.com")))
"""
WRONG = """
from webhook_service.client import AsyncClient, Client

def one(client: Client) -> int:
    return client.executions.get("exe_1").message

def two(client: Client) -> None:
    client.tokens.create("boss")

async def three(client: AsyncClient) -> str:
    return client.executions.get("exe_1").message

def four(client: Client) -> None:
    client.executions.list(colour="red")
"""


@pytest.mark.parametrize("checker", CHECKERS)
def test_an_application_s_types_are_checked(checker: str, tmp_path: Path) -> None:
    if not Path(CHECKERS[checker][0]).exists():
        pytest.skip(f"{checker} is not installed; make .venv/stamp gets it")
    for name, text in (("right", RIGHT), ("wrong", WRONG), ("gate", EXAMPLE.read_text())):
        (tmp_path / f"{name}.py").write_text(text)
    # An editable install is no folder that the checkers see.
    settings = {"extraPaths": [str(ROOT)], "typeCheckingMode": "strict"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    found = _run(checker, tmp_path)
    errors = re.findall(r"(\w+)\.py:(\d+):.*error", found.stdout)
    assert found.returncode == 1
    assert {*errors} == {("wrong", line) for line in ("5", "8", "11", "14")}, found.stdout


def _run(checker: str, folder: Path) -> subprocess.CompletedProcess[str]:
    # In its own folder, so that nothing of this repository's settings counts.
    return subprocess.run(
        [*CHECKERS[checker], "right.py", "wrong.py", "gate.py"],
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
