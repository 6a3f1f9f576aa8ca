"""``webhook-service demo``: as a real process, as ``make run`` starts it."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Run
from tests.cli.test_command import COMMAND
from tests.servers.control_plane import ControlPlane

FREE_PORT = ("--listen", "127.0.0.1:0")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """One in which whatever the demonstration leaves behind would be found in ``TMPDIR``."""
    left = tmp_path / "left"
    left.mkdir()
    return {**os.environ, "TMPDIR": str(left), "PYTHONUNBUFFERED": "1"}


def left_behind(environment: dict[str, str]) -> list[Path]:
    return list(Path(environment["TMPDIR"]).iterdir())


def demo(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, "demo", *arguments], capture_output=True, text=True, timeout=90, env=environment
    )


def test_one_push_rolls_out_and_the_sidecar_stays(
    environment: dict[str, str],
) -> None:
    done = demo(environment, "--once", *FREE_PORT)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.strip() for line in done.stdout.splitlines()]
    before, after = "docker.io/acme/shop:1.0.0", "docker.io/acme/shop:1.1.0"
    assert f"Deployment shop/shop containers[shop].image: {before} -> {after}" in lines
    assert "the sidecar logs still runs docker.io/acme/logs:2.1" in lines
    assert f"read back from the cluster: all 3 pods run {after}" in lines
    assert re.search(r"succeeded after [0-9.]+ s as exe_[0-9a-f]{32}", done.stdout)
    assert left_behind(environment) == []


def test_a_taken_address_is_one_line_that_names_the_way_out(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run("demo", "--once", "--listen", address)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert address in done.stderr and "--listen" in done.stderr


def test_a_kubeconfig_that_is_none_is_one_line(run: Run, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("secret: [")
    done = run("demo", "--once", *FREE_PORT, "--kubeconfig", str(kubeconfig))
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert str(kubeconfig) in done.stderr and "secret" not in done.stderr


def test_a_context_needs_a_kubeconfig(run: Run) -> None:
    assert run("demo", "--context", "somewhere").exit_code == 2


@pytest.fixture
def running(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A demonstration that stays up, told to the point where it waits for pushes."""
    # A shell that starts the tests in the background lets them, and so this, ignore Ctrl-C.
    as_in_the_foreground = ["env", "--default-signal=INT"]
    with subprocess.Popen(
        [*as_in_the_foreground, COMMAND, "demo", *FREE_PORT],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        yield process
        process.kill()


def read_until(process: subprocess.Popen[str], text: str) -> list[str]:
    lines: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line.strip())
        if text in line:
            return lines
    raise AssertionError(f"It ended before {text!r}: {lines}")


def arguments_of(line: str) -> list[str]:
    """What a shell makes of a printed command."""
    script = f"curl() {{ printf '%s\\0' \"$@\"; }}; {line}"
    shell = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    return shell.stdout.split("\0")[:-1]


def test_it_stays_up_and_its_commands_work(
    running: subprocess.Popen[str], environment: dict[str, str]
) -> None:
    lines = read_until(running, "Ctrl-C")
    (link,) = (line for line in lines if "/console/login/link?link=" in line)
    assert "You are logged in" in httpx.get(link).text
    assert httpx.get(link).status_code == 401
    push, history = (line for line in lines if line.startswith("curl "))
    (send,) = (line for line in lines if " send --image " in line)
    _, content_type, _, body, url = arguments_of(push)
    headers = dict([content_type.split(": ")])
    assert httpx.post(url, content=body, headers=headers).json()["state"] == "accepted"
    rolled_out = "\n".join(read_until(running, "succeeded after"))
    assert "3/3 ready of acme/shop:1.2.0" in rolled_out
    subprocess.run(["bash", "-c", send], check=True, capture_output=True, timeout=30)
    _, authorization, url = arguments_of(history)
    executions = httpx.get(url, headers=dict([authorization.split(": ")])).json()["data"]
    assert [item["state"] for item in executions[1:]] == ["succeeded"] * 2
    running.send_signal(signal.SIGINT)
    assert running.wait(20) == 0
    assert left_behind(environment) == []


@pytest.mark.e2e
def test_it_does_the_same_on_a_real_cluster(
    environment: dict[str, str], control_plane: ControlPlane
) -> None:
    arguments = ("--once", *FREE_PORT, "--kubeconfig", str(control_plane.kubeconfig))
    done = demo(environment, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert "made the deployment shop" in done.stdout
    assert "all 3 pods run docker.io/library/nginx:1.29-alpine" in done.stdout
    control_plane.api.delete("/api/v1/namespaces/shop")
