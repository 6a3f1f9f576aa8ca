"""The whole service as a process: ready when it says so, and gone on SIGTERM without a loss."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.support import PROJECT, SECRET, make_service, sqlite_url
from webhook_service.errors import SettingsError
from webhook_service.host.server import serve
from webhook_service.model.ids import RECEIVER, new_id, new_key
from webhook_service.model.receiver import Receiver, ReceiverSpec
from webhook_service.net.listener import bind
from webhook_service.settings import load_settings
from webhook_service.testing.samples import dockerhub_push

PROGRAM = """
import logging, sys
logging.basicConfig(level="DEBUG")
from webhook_service.host import serve
serve(run=False, on_ready=lambda url: print(url, flush=True))
"""
PUSH = dockerhub_push("acme/shop", "1.2.3")


@dataclass
class Running:
    process: "subprocess.Popen[str]"
    base: str
    key: str
    log: Path

    @property
    def url(self) -> str:
        return f"{self.base}/v1-webhooks/endpoint?key={self.key}&projectId={PROJECT}"

    def end(self) -> int:
        """The exit code after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)


def _add_receiver(database: str) -> str:
    """A receiver for an installed driver, whose cluster is never asked."""
    service = make_service(database, run=False)
    now, key = datetime.now(UTC), new_key()
    config = {"namespace": "shop", "name": "shop"}
    spec = ReceiverSpec(name="shop", driver="deploymentUpdate", config=config)
    service.store.receivers.add(Receiver(new_id(RECEIVER), PROJECT, spec, now, now), key)
    service.stop()
    return key


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    environment = {
        **os.environ,
        "WEBHOOK_SERVICE_DATABASE_URL": sqlite_url(tmp_path),
        "WEBHOOK_SERVICE_SECRET_KEY": SECRET,
        "WEBHOOK_SERVICE_LISTEN": "127.0.0.1:0",
    }
    key = _add_receiver(sqlite_url(tmp_path))
    log = tmp_path / "log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            yield Running(process, process.stdout.readline().strip(), key, log)
        finally:
            process.kill()


def test_it_takes_pushes_ends_at_once_and_tells_no_key(running: Running) -> None:
    assert httpx.get(f"{running.base}/healthz").text == "ok\n"
    assert httpx.get(f"{running.base}/readyz").text == "ok\n"
    answer = httpx.post(running.url, content=PUSH)
    assert answer.json()["state"] == "accepted"
    assert "server" not in answer.headers
    started = time.monotonic()
    assert running.end() == 0
    assert time.monotonic() - started < 5
    log = running.log.read_text()
    assert f"delivery {answer.json()['id']} " in log
    assert running.key not in log and "Traceback" not in log


def test_a_push_that_is_arriving_is_taken_before_the_end(running: Running) -> None:
    target = httpx.URL(running.url)
    head = f"POST {target.raw_path.decode()} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(PUSH)}"
    with socket.create_connection((target.host, target.port or 80), timeout=10) as connection:
        connection.sendall(f"{head}\r\n\r\n".encode() + PUSH[:10])
        time.sleep(0.2)
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        connection.sendall(PUSH[10:])
        answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200 OK") and b"\r\nconnection: close\r\n" in answer
    assert running.process.wait(15) == 0


def test_an_address_that_is_taken_is_said(tmp_path: Path) -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        settings = load_settings(
            database_url=f"sqlite:///{tmp_path}/new.db",
            secret_key=SECRET,
            listen=f"127.0.0.1:{port}",
        )
        with pytest.raises(SettingsError, match=f"127.0.0.1:{port} cannot be served on"):
            serve(settings)
    assert not list(tmp_path.iterdir())


def test_signals_find_their_handlers_again(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    settings = load_settings(
        database_url=sqlite_url(tmp_path), secret_key=SECRET, listen="127.0.0.1:0"
    )
    serve(settings, on_ready=lambda _: os.kill(os.getpid(), signal.SIGTERM))
    assert signal.getsignal(signal.SIGTERM) is before
