"""A host that dies while it takes a call: what was committed is there, and nothing else."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import add_receiver, make_service, push, sqlite_url
from webhook_service.failpoints import VARIABLE

SCRIPT = """
import sys
from tests.support import make_service, push
url, key = sys.argv[1:]
with make_service(url, run=False) as service:
    push(service, key)
"""


@pytest.mark.parametrize(
    ("point", "stored"),
    [
        ("accept.matched", False),
        ("accept.stored", False),
        ("writer.before_commit", False),
        ("writer.after_commit", True),
        ("accept.committed", True),
    ],
)
def test_a_push_is_stored_by_its_commit_and_known_when_it_is_sent_again(
    tmp_path: Path, point: str, stored: bool
) -> None:
    url = sqlite_url(tmp_path)
    with make_service(url, run=False) as service:
        _, key = add_receiver(service)
    crashed = subprocess.run(
        [sys.executable, "-c", SCRIPT, url, key],
        env={**os.environ, VARIABLE: f"{point}=kill"},
        timeout=60,
        check=False,
    )
    assert crashed.returncode == -signal.SIGKILL
    with make_service(url, run=False) as service:
        assert sum(service.store.executions.backlog().open.values()) == stored
        assert push(service, key).state == ("duplicate" if stored else "accepted")
        assert service.store.executions.backlog().open == {"queued": 1}
