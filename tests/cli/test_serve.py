"""``serve``: the command itself, over TLS, and its end."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Run
from tests.processes.test_service import children_of, is_alive
from tests.servers.certificates import self_signed, trusting
from tests.servers.postgres import Postgres
from tests.servers.process import Process, free_port
from tests.support import SECRET, wait_for


def test_processes_serve_https_and_the_console_after_migrate_and_end_on_ctrl_c(
    postgres: Postgres, tmp_path: Path
) -> None:
    port, metrics = free_port(), free_port()
    key, certificate = self_signed(tmp_path, "127.0.0.1")
    settings = {
        "DATABASE_URL": postgres.new_database(),
        "SECRET_KEY": SECRET,
        "CONSOLE": "true",
        "TLS_CERT": str(certificate),
        "TLS_KEY": str(key),
        "METRICS_LISTEN": f"127.0.0.1:{metrics}",
    }
    environment = os.environ | {f"WEBHOOK_SERVICE_{name}": text for name, text in settings.items()}
    command = (sys.executable, "-m", "webhook_service", "serve")
    options = ("--migrate", "--processes", "2", "--listen", f"127.0.0.1:{port}")
    serve = Process([*command, *options], tmp_path, name="serve", env=environment)
    announced = f"webhook-service takes calls on https://127.0.0.1:{port}; Ctrl-C ends it."
    serve.start(lambda: announced in serve.log.read_text())
    try:
        children = children_of(serve.pid)
        for _ in range(4):
            with httpx.Client(verify=trusting(certificate)) as caller:
                assert caller.get(f"https://127.0.0.1:{port}/readyz").text == "ok\n"
                assert caller.get(f"https://127.0.0.1:{port}/console/login").status_code == 200
        text = httpx.get(f"http://127.0.0.1:{metrics}/metrics").text
        assert 'process_open_fds{process="0"}' in text and 'process="1"' in text
        os.kill(serve.pid, signal.SIGINT)
        wait_for(lambda: not serve.running)
    finally:
        serve.stop()
    assert serve.exit_code == 0
    assert len(children) == 2 and not any(map(is_alive, children))


def test_what_keeps_processes_from_starting_is_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = run("serve", "--processes", "2")
    assert (refused.exit_code, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
    assert refused.stderr.startswith("error: SQLite lets one process write at a time")
    monkeypatch.setenv("WEBHOOK_SERVICE_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        refused = run("serve", "--processes", "2", "--listen", address)
    assert (refused.exit_code, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
    assert refused.stderr.startswith(f"error: WEBHOOK_SERVICE_LISTEN: {address} cannot be served")


def test_one_process_needs_no_parent(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        refused = run("serve", "--processes", "1", "--listen", address)
    assert refused.stderr.startswith(f"error: WEBHOOK_SERVICE_LISTEN: {address} cannot be served")


LEAVES_A_THREAD = """
import threading
from webhook_service.cli.commands.installation.serve import end_within
from webhook_service.telemetry.logs import configure

configure("text")
threading.Thread(target=threading.Event().wait, name="of-a-plug-in").start()
end_within(0.1)
"""


def test_threads_that_plugins_leave_do_not_keep_the_process() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LEAVES_A_THREAD], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0
    assert "The service has ended, and what plug-ins began has not" in ended.stderr
    assert ended.stderr.endswith("ends without these threads: of-a-plug-in.\n")


def test_a_service_that_ends_by_itself_says_nothing_of_threads() -> None:
    script = LEAVES_A_THREAD.replace("threading.Event().wait", "int").replace("0.1", "60")
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30
    )
    assert (ended.returncode, ended.stderr) == (0, "")
