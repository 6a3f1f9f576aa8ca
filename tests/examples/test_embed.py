"""examples/embed, served by uvicorn as its README says."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.servers.process import free_port
from tests.support import wait_for
from webhook_service.testing.samples import dockerhub_push

FOLDER = Path(__file__).parents[2] / "examples" / "embed"
ADA = {"Cookie": "session=session-of-ada"}


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of the application, and the path that it printed."""
    database = tmp_path_factory.mktemp("embed") / "board.db"
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "uvicorn", "--factory", "app:create", "--port", str(port)]
    environment = {**os.environ, "WEBHOOK_SERVICE_DATABASE_URL": f"sqlite:///{database}"}
    with subprocess.Popen(
        command, cwd=FOLDER, env=environment, stdout=subprocess.PIPE, stderr=None, text=True
    ) as process:
        assert process.stdout is not None
        path = process.stdout.readline().rpartition(" ")[2].strip()
        wait_for(lambda: is_up(url))
        yield url, f"{url}{path}"
        process.terminate()
        process.wait(20)


def is_up(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


def push(endpoint: str, tag: str) -> str:
    answer = httpx.post(endpoint, content=dockerhub_push("acme/shop", tag)).json()
    return str(answer["state"])


def test_a_push_reaches_the_front_page(example: tuple[str, str]) -> None:
    url, endpoint = example
    assert push(endpoint, "1.2.3") == "accepted"
    assert wait_for(lambda: httpx.get(url).json()) == {"releases": "docker.io/acme/shop:1.2.3"}


def test_a_tag_that_is_no_version_is_ignored(example: tuple[str, str]) -> None:
    assert push(example[1], "latest") == "ignored"


def test_the_applications_users_manage_receivers(example: tuple[str, str]) -> None:
    receivers = f"{example[0]}/hooks/v1-webhooks/receivers"
    (board,) = httpx.get(receivers, headers=ADA).json()["data"]
    assert board["announceConfig"]["channel"] == "releases"
    assert board["url"] == example[1]
    assert board["links"]["self"].startswith(receivers)


def test_strangers_do_not(example: tuple[str, str]) -> None:
    receivers = f"{example[0]}/hooks/v1-webhooks/receivers"
    assert httpx.get(receivers).status_code == 401
    assert httpx.get(receivers, headers={"Cookie": "session=made-up"}).status_code == 401
