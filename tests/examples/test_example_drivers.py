"""examples/publish_message and copy_image: their own tests, as wheels, with real servers."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.docs.terminal import Terminal, shell_blocks
from tests.examples.conftest import ROOT, build, environment_with
from tests.servers import images
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.registry import Registry
from tests.servers.requirements import require_program

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("third_party_driver"),
]
PAGES = ROOT / "docs" / "other-targets"
EXAMPLES = {"publish_message": "publishMessage", "copy_image": "copyImage"}


@pytest.fixture(scope="module")
def broker() -> Iterator[RabbitMQ]:
    with RabbitMQ() as running:
        yield running


@pytest.fixture(scope="module")
def sources(folder: Path) -> Mapping[str, Path]:
    return {
        name: shutil.copytree(ROOT / "examples" / name, folder / "examples" / name)
        for name in EXAMPLES
    }


@pytest.fixture(scope="module")
def programs(folder: Path, wheel: Path, sources: Mapping[str, Path]) -> Path:
    """The bin folder of a fresh environment that has the service and the drivers."""
    wheels = [build(source, folder) for source in sources.values()]
    return environment_with(folder / "example_drivers", wheel, *wheels)


@pytest.mark.parametrize("name", EXAMPLES)
def test_its_own_tests_pass_and_run_the_kit(
    name: str, programs: Path, sources: Mapping[str, Path], broker: RabbitMQ
) -> None:
    require_program("skopeo", "apt-get install skopeo")
    require_program("docker-registry", "apt-get install docker-registry")
    tests = shutil.copytree(
        sources[name], sources[name].with_name(f"{name}-tests"), ignore=_only_tests
    )
    words = ["-q", "-p", "no:kmock", "-W", "error", "--webhook-kit"]
    done = subprocess.run(
        [programs / "python", "-m", "pytest", *words, "."],
        cwd=tests,
        env={**os.environ, "RABBITMQ_URL": broker.url},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "checks hold, 0 do not" in done.stdout


def _only_tests(folder: str, names: list[str]) -> list[str]:
    """The module comes from the wheel."""
    return [name for name in names if not name.startswith("test_")]


@pytest.mark.parametrize("name", EXAMPLES)
def test_installed_it_is_found(name: str, programs: Path, folder: Path) -> None:
    command = [programs / "webhook-service", "driver", "show", EXAMPLES[name], "--output", "json"]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "WEBHOOK_SERVICE_DATABASE_URL": f"sqlite:///{folder / 'none.db'}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f'"distribution": "webhook-{name.replace("_", "-")}"' in done.stdout


def test_the_page_about_rabbitmq_does_what_it_says(
    programs: Path, broker: RabbitMQ, tmp_path: Path
) -> None:
    theirs = "amqp://guest:guest@127.0.0.1:5672//"
    terminal = Terminal(tmp_path, programs, replaced={theirs: broker.url})
    printed = terminal.run(*shell_blocks(PAGES / "rabbitmq.md"))
    assert printed.splitlines()[-1] == "docker.io/acme/shop:1.2.3"


def test_the_page_about_registries_does_what_it_says(programs: Path, tmp_path: Path) -> None:
    with Registry() as theirs, Registry() as ours:
        replaced = {"registry.test:5000": theirs.address, "production.test:5000": ours.address}
        image = images.build(tmp_path / "image")
        images.push(image, f"{theirs.address}/acme/shop:1.2.3")
        terminal = Terminal(tmp_path / "home", programs, replaced=replaced)
        allow_plain_http(tmp_path / "home", *replaced.values())
        printed = terminal.run(*shell_blocks(PAGES / "registry.md"))
    assert image.digest.removeprefix("sha256:") in digests_of(printed)


def allow_plain_http(home: Path, *registries: str) -> None:
    """As the page says to operators of registries without TLS."""
    folder = home / ".config" / "containers"
    folder.mkdir(parents=True)
    (folder / "registries.conf").write_text(
        "".join(f'[[registry]]\nlocation = "{each}"\ninsecure = true\n' for each in registries)
    )


def digests_of(printed: str) -> list[str]:
    return [hashlib.sha256(line.encode()).hexdigest() for line in printed.splitlines()]
