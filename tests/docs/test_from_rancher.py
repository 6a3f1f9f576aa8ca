"""The page about the move from Rancher 1.6: its commands do what it says."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_receiver_import import TWENTY, answered
from tests.docs.test_docs import ROOT, blocks
from tests.host.v16_drivers import v16_cluster
from tests.support import sqlite_url

PAGE = (ROOT / "docs/from-rancher-1.6.md").read_text()


def commands(text: str, word: str) -> list[list[str]]:
    lines = [
        line
        for block in blocks(text, "sh")
        for line in block.replace("\\\n", " ").splitlines()
        if line.startswith(word)
    ]
    return [shlex.split(line) for line in lines]


def test_the_commands_of_the_move_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEBHOOK_SERVICE_DATABASE_URL", sqlite_url(tmp_path))
    Path("1a5.json").write_text(json.dumps({"data": TWENTY}))
    Path("names").write_text("1s7=1a5/web\n")
    alone = answered(77, "serviceUpgrade", TWENTY[2]["serviceUpgradeConfig"])
    Path("receiver.json").write_text(json.dumps(alone))
    words, made = commands(PAGE, "webhook-service")
    words = ["1a5" if word == "shop" else word for word in words]
    made = [word.replace("$OLD_URL", alone["url"]) for word in made]
    with v16_cluster() as fake:
        monkeypatch.setenv("KUBECONFIG", str(fake.write_kubeconfig(tmp_path / "kubeconfig")))
        program = str(Path(sys.executable).with_name("webhook-service"))
        for line in (words, words[:-1], words[:-1], made):
            done = subprocess.run([program, *line[1:]], capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
            if line[-1] == "--dry-run":
                assert done.stdout.count("would be made") == 20


@pytest.mark.parametrize("line", [line for line in blocks(PAGE, "text")[0].splitlines() if line])
def test_the_names_shown_are_of_the_form_that_is_taken(line: str) -> None:
    assert re.fullmatch(r"1s[0-9]+=[a-z]+/(StatefulSet/)?[a-z]+", line)
