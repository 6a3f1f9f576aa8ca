"""docs/embedding.md: each recipe runs under the servers that the page names."""

from __future__ import annotations

import re
import subprocess
import sys

import httpx
import pytest

from tests.embedding.conftest import BODY, PAGE, PROJECT, Folder
from tests.servers.process import Process, StartFailed, free_port
from tests.support import wait_for

pytestmark = pytest.mark.timeout(300)
CALLS = 6
MOUNTED = "/hooks/v1-webhooks/endpoint?key={key}&projectId={project}"
PATHS = {
    "starlette_app": MOUNTED,
    "fastapi_app": MOUNTED,
    "flask_app": "/hooks/{project}/{key}",
    "django_app:wsgi": "/hooks/{project}/{key}",
    "django_app:asgi": "/async-hooks/{project}/{key}",
}
# How each server is told where to listen.
LISTEN = {
    "uvicorn": ["--port", "{port}"],
    "hypercorn": ["--bind", "127.0.0.1:{port}"],
    "granian": ["--port", "{port}"],
    "daphne": ["--port", "{port}"],
    "gunicorn": ["--bind", "127.0.0.1:{port}"],
}
COMMANDS = re.findall(r"`((?:uvicorn|hypercorn|granian|gunicorn|daphne) [^`]*_app[^`]*)`", PAGE)


def server_of(command: str, folder: Folder, port: int, *more: str) -> Process:
    words = command.split()
    words += [word.format(port=port) for word in LISTEN[words[0]]]
    path = f"{folder.environment['PATH'].partition(':')[0]}/{words[0]}"
    return Process([path, *words[1:], *more], folder.path, env=folder.environment)


def is_up(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code < 500
    except httpx.TransportError:
        return False


def test_the_page_names_every_server_and_framework() -> None:
    assert len(COMMANDS) == 9
    assert {command.split()[0] for command in COMMANDS} == set(LISTEN)
    assert all(any(name in command for command in COMMANDS) for name in PATHS)


@pytest.mark.parametrize("command", COMMANDS)
def test_pushes_run_and_no_key_is_logged(command: str, folder: Folder) -> None:
    (path,) = [path for name, path in PATHS.items() if name in command]
    url = f"http://127.0.0.1:{(port := free_port())}"
    server = server_of(command, folder, port)
    server.start(lambda: is_up(url))
    try:
        for number in range(CALLS):
            target = url + path.format(key=folder.key, project=PROJECT)
            answer = httpx.post(target, content=BODY % number, timeout=60)
            assert (answer.status_code, answer.json()["state"]) == (200, "accepted"), server.tail()
        assert wait_for(lambda: folder.states() == ["succeeded"] * CALLS, 60)
    finally:
        server.stop(patience=60)
    assert folder.key not in server.log.read_text()
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("app", ["starlette_app", "flask_app"])
def test_preloaded_it_refuses_in_one_sentence(app: str, folder: Folder) -> None:
    (command,) = [each for each in COMMANDS if app in each and each.startswith("gunicorn")]
    port = free_port()
    server = server_of(command, folder, port, "--preload")
    url = f"http://127.0.0.1:{port}" + PATHS[app].format(key=folder.key, project=PROJECT)
    try:
        server.start(lambda: is_up(url))
        answer = httpx.post(url, content=BODY % 1, timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
        assert "leave out --preload" in answer.json()["message"]
    except StartFailed:
        assert "leave out --preload" in server.log.read_text()
    finally:
        server.stop(patience=60)
    assert folder.states() == []


def test_the_script_waits_for_the_end(folder: Folder) -> None:
    done = subprocess.run(
        [sys.executable, "script.py", PROJECT, folder.key],
        cwd=folder.path,
        env=folder.environment,
        input=BODY % 1,
        capture_output=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"succeeded\n", b"")


def test_the_cells_of_a_notebook_run_on_a_loop_that_runs_already(folder: Folder) -> None:
    cells = (folder.path / "notebook.py").read_text()
    done = subprocess.run(
        [sys.executable, "-m", "asyncio"],
        cwd=folder.path,
        env=folder.environment,
        input=f"{cells}\n'the last cell'\n",
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "the last cell" in done.stdout and "Execution(" in done.stdout
    assert folder.states() == ["succeeded"]
