"""Two host processes on one address and one PostgreSQL, as a service that people start and end."""

import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.processes.host import RUNS
from tests.servers.postgres import Postgres
from tests.servers.process import Process, accepts, free_port
from tests.support import PROJECT, SECRET, add_receiver, make_service, wait_for
from webhook_service.model.execution import ENDED
from webhook_service.model.pages import PageRequest
from webhook_service.service import WebhookService
from webhook_service.testing.samples import dockerhub_push

ROOT = Path(__file__).parents[2]
COUNT = 2


@dataclass
class Running:
    parent: Process
    port: int
    key: str
    service: WebhookService
    runs: Path

    @property
    def children(self) -> set[int]:
        return set(children_of(self.parent.pid))

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def push(self, tag: str) -> str:
        """Send one over a connection of its own, until it is answered; the id of its delivery."""
        query = {"key": self.key, "projectId": PROJECT}
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):  # the process was killed: senders try again
                answer = httpx.post(
                    f"{self.base}/v1-webhooks/endpoint",
                    params=query,
                    content=dockerhub_push("acme/shop", tag),
                    timeout=20,
                )
                assert answer.status_code == 200, answer.text
                return str(answer.json()["id"])
        pytest.fail("nobody answered in time")

    def wait_for_ends(self) -> None:
        def all_ended() -> bool:
            page = self.service.list_executions(PROJECT, PageRequest(1000))
            return all(each.state in ENDED for each in page.items)

        wait_for(all_ended, 60)

    def executions_run(self) -> Counter[str]:
        return Counter(line.split()[0] for line in self.runs.read_text().splitlines())

    def ran_in(self) -> set[int]:
        """The processes that ran something."""
        return {int(line.split()[1]) for line in self.runs.read_text().splitlines()}

    def log(self) -> str:
        return self.parent.log.read_text()

    def accepted(self) -> float:
        return self.metric("webhook_deliveries_total", state="accepted")

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels, as one of the processes tells."""
        text = httpx.get(f"{self.base}/metrics", timeout=20).text
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and sample.labels.items() >= labels.items()
        )


def children_of(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def running(postgres: Postgres, tmp_path: Path) -> Iterator[Running]:
    """One that the test may end."""
    with start(postgres, tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def going_on(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for tests that leave it as it was."""
    with start(postgres, tmp_path_factory.mktemp("service")) as running:
        yield running


@contextmanager
def start(postgres: Postgres, tmp_path: Path) -> Iterator[Running]:
    url, port, runs = postgres.new_migrated_database(), free_port(), tmp_path / "runs"
    service = make_service(url, run=False)
    _, key = add_receiver(service, verify={"scheme": "none"})
    runs.touch()
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "WEBHOOK_SERVICE_DATABASE_URL": url,
        "WEBHOOK_SERVICE_SECRET_KEY": SECRET,
        "WEBHOOK_SERVICE_LISTEN": f"127.0.0.1:{port}",
        RUNS: str(runs),
        "TMPDIR": str(tmp_path),  # a parent that is killed leaves its folder there
    }
    command = [sys.executable, "-u", "-m", "tests.processes.service", str(COUNT)]
    parent = Process(command, tmp_path, name="parent", env=environment)
    parent.start(lambda: f"\nhttp://127.0.0.1:{port}\n" in f"\n{parent.log.read_text()}")
    try:
        yield Running(parent, port, key, service, runs)
    finally:
        parent.stop()
        service.stop()


def test_both_take_calls_and_each_push_runs_once_and_is_counted_once(going_on: Running) -> None:
    before, pushes = going_on.accepted(), 40
    with ThreadPoolExecutor(8) as senders:
        deliveries = set(senders.map(going_on.push, (f"1.{number}" for number in range(pushes))))
    assert len(deliveries) == pushes
    going_on.wait_for_ends()
    # Of pushes to one slot a newer one may end an older one before it has run.
    assert set(going_on.executions_run().values()) == {1}
    assert len(going_on.children) == COUNT and going_on.children <= going_on.ran_in()
    for _ in range(8):  # whoever of them answers
        assert going_on.accepted() == before + pushes
        assert going_on.metric("process_resident_memory_bytes", process="1") > 1e7
    assert wait_for(lambda: going_on.metric("webhook_writes_total") >= pushes)


def test_a_child_that_is_killed_loses_no_push_that_was_answered_and_another_one_comes(
    going_on: Running,
) -> None:
    before, started = going_on.children, going_on.log().count("taking calls")
    with ThreadPoolExecutor(8) as senders:
        sent = [senders.submit(going_on.push, f"2.{number}") for number in range(60)]
        wait_for(lambda: sum(each.done() for each in sent) > 10)
        counted = going_on.accepted()
        os.kill(min(before), signal.SIGKILL)
        deliveries = {each.result() for each in sent}
    stored = going_on.service.list_deliveries(PROJECT, PageRequest(1000)).items
    assert deliveries <= {each.id for each in stored}
    going_on.wait_for_ends()
    assert "has ended by itself (signal 9); another one starts in 0.25 s." in going_on.log()
    wait_for(lambda: going_on.log().count("taking calls") > started)
    assert len(going_on.children) == COUNT and min(before) not in going_on.children
    # What the dead one counted stays, and the new one goes on from there.
    for number in range(20):
        going_on.push(f"3.{number}")
    assert going_on.accepted() >= counted + 20


def test_sigterm_lets_what_arrives_arrive_and_leaves_nobody_behind(running: Running) -> None:
    children, body = running.children, dockerhub_push("acme/shop", "4")
    path = f"/v1-webhooks/endpoint?key={running.key}&projectId={PROJECT}"
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
        connection.sendall(head.encode() + body[:10])
        time.sleep(0.2)
        os.kill(running.parent.pid, signal.SIGTERM)
        time.sleep(0.3)
        connection.sendall(body[10:])
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")
    wait_for(lambda: not running.parent.running)
    assert running.parent.exit_code == 0
    assert not any(map(is_alive, children))
    assert not accepts(running.port)
    assert "Traceback" not in running.log()


def test_children_end_when_their_parent_is_killed(running: Running) -> None:
    children = running.children
    running.parent.kill()
    wait_for(lambda: not any(map(is_alive, children)))
    assert running.log().count("is gone, so it ends") == COUNT
