"""examples/third_party_driver and third_party_format: wheels in a fresh environment.

It proves what an editable install cannot: that the wheel holds everything, and that a driver, a
format and a scheme of somebody else's are found, configured, called and shown without a change in
the service.
"""

import hmac
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.examples.conftest import ROOT, build, environment_with
from tests.servers.process import free_port
from tests.support import wait_for
from webhook_service.testing.samples import dockerhub_push

EXAMPLE = ROOT / "examples" / "third_party_driver"
FORMAT_EXAMPLE = ROOT / "examples" / "third_party_format"
SECRET = "a secret that Shipyard knows too"
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("third_party_driver")]


@pytest.fixture(scope="module")
def drivers_wheel(folder: Path) -> Path:
    return build(shutil.copytree(EXAMPLE, folder / "driver"), folder)


@pytest.fixture(scope="module")
def formats_wheel(folder: Path) -> Path:
    return build(shutil.copytree(FORMAT_EXAMPLE, folder / "format"), folder)


@pytest.fixture(scope="module")
def programs(folder: Path, wheel: Path, drivers_wheel: Path, formats_wheel: Path) -> Path:
    """The bin folder of a fresh environment that has all."""
    return environment_with(folder / "environment", wheel, drivers_wheel, formats_wheel)


@pytest.fixture(scope="module")
def settings(folder: Path) -> dict[str, str]:
    """The environment variables of the programs."""
    (folder / "files").mkdir()
    kept = {name: value for name, value in os.environ.items() if "WEBHOOK_SERVICE" not in name}
    return {
        **kept,
        "WEBHOOK_SERVICE_DATABASE_URL": f"sqlite:///{folder / 'service.db'}",
        "WEBHOOK_SERVICE_LISTEN": f"127.0.0.1:{free_port()}",
        "WEBHOOK_SERVICE_SECRET_KEY": "a secret key of the tests",
        "WRITE_FILE_FOLDER": str(folder / "files"),
    }


@pytest.fixture(scope="module")
def api(programs: Path, settings: dict[str, str], folder: Path) -> Iterator[httpx.Client]:
    """A client of the running service, as the owner of a project."""
    create = ("token", "create", "--project", "shop-team", "--role", "owner")
    token = run_json(programs, settings, folder, *create)["token"]
    command = [str(programs / "webhook-service"), "serve"]
    url = f"http://{settings['WEBHOOK_SERVICE_LISTEN']}/v1-webhooks"
    headers = {"Authorization": f"Bearer {token}"}
    with (
        subprocess.Popen(command, env=settings, cwd=folder, stderr=subprocess.DEVNULL) as process,
        httpx.Client(base_url=url, headers=headers) as client,
    ):
        wait_for(lambda: is_up(client), 20)
        yield client
        process.terminate()
        assert process.wait(20) == 0


def is_up(client: httpx.Client) -> bool:
    try:
        return client.get("").is_success
    except httpx.TransportError:
        return False


def run_json(programs: Path, settings: dict[str, str], folder: Path, *arguments: str) -> Any:
    command = [str(programs / "webhook-service"), *arguments, "--output", "json"]
    done = subprocess.run(
        command, env=settings, cwd=folder, check=True, stdout=subprocess.PIPE, timeout=60
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "name",
    [
        "webhook_service/py.typed",
        "webhook_service/demo/story.py",
        "webhook_service/migrations/env.py",
        "webhook_service/migrations/script.py.mako",
        "webhook_service/migrations/versions/0001_first_schema.py",
        "webhook_drivers/py.typed",
    ],
)
def test_the_wheel_holds_what_an_embedder_needs(wheel: Path, name: str) -> None:
    assert name in zipfile.ZipFile(wheel).namelist()


def test_the_wheel_holds_every_module(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = [path.relative_to(ROOT) for path in (ROOT / "webhook_service").rglob("*.py")]
    assert [str(path) for path in modules if str(path) not in names] == []


def test_the_environment_runs_the_wheels(programs: Path, folder: Path) -> None:
    code = "import webhook_service, webhook_write_file as w; print(webhook_service.__file__, w)"
    done = subprocess.run(
        [programs / "python", "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stdout.count(str(programs.parent)) == 2


def test_the_command_line_finds_the_driver(
    programs: Path, settings: dict[str, str], folder: Path
) -> None:
    drivers = run_json(programs, settings, folder, "driver", "list")["data"]
    found = {item["name"]: (item["state"], item["distribution"]) for item in drivers}
    assert found["writeFile"] == ("ready", "webhook-write-file")
    assert found["deploymentUpdate"] == ("ready", "webhook-service")


def test_the_api_describes_it(api: httpx.Client) -> None:
    schemas = {item["id"]: item for item in api.get("/schemas").json()["data"]}
    assert schemas["writeFile"]["resourceFields"]["file"]["type"] == "string"
    receiver = schemas["receiver"]["resourceFields"]
    assert receiver["writeFileConfig"]["type"] == "writeFile"
    assert "writeFile" in receiver["driver"]["options"]


def test_a_push_is_executed_by_it(api: httpx.Client, folder: Path) -> None:
    body = {
        "name": "list",
        "driver": "writeFile",
        "writeFileConfig": {"file": "images.txt"},
        "match": {"repositories": ["acme/shop"]},
        "verify": {"scheme": "none"},
    }
    receiver = api.post("/receivers", json=body).json()
    push = dockerhub_push("acme/shop", "1.2.3")
    (execution,) = httpx.post(receiver["url"], content=push).json()["executions"]
    done = wait_for(lambda: ended(api, execution))
    assert (done["state"], done["changes"][0]["target"]) == ("succeeded", "images.txt")
    assert (folder / "files" / "images.txt").read_text() == "docker.io/acme/shop:1.2.3\n"


@pytest.mark.parametrize(("kind", "name"), [("format", "shipyard"), ("scheme", "stamped")])
def test_the_command_line_finds_format_and_scheme(
    programs: Path, settings: dict[str, str], folder: Path, kind: str, name: str
) -> None:
    found = {
        item["name"]: item for item in run_json(programs, settings, folder, kind, "list")["data"]
    }
    assert (found[name]["state"], found[name]["distribution"]) == ("ready", "webhook-shipyard")


def test_a_signed_push_of_the_foreign_format_is_executed_once(
    api: httpx.Client, folder: Path
) -> None:
    body = {
        "name": "shipyard",
        "driver": "writeFile",
        "writeFileConfig": {"file": "shipyard.txt"},
        "source": {"format": "shipyard"},
        "match": {"repositories": ["shipyard.example/acme/shop"]},
        "verify": {"scheme": "stamped", "secret": SECRET},
    }
    url = api.post("/receivers", json=body).json()["url"]
    push = b'{"event": "pushed", "image": "shipyard.example/acme/shop:1.2.3"}'
    assert httpx.post(url, content=push).status_code == 401
    headers = {"x-shipyard-stamp": stamp(push)}
    first, second = (httpx.post(url, content=push, headers=headers).json() for _ in range(2))
    assert (first["state"], second["state"]) == ("accepted", "duplicate")
    assert wait_for(lambda: ended(api, first["executions"][0]))["state"] == "succeeded"
    line = "shipyard.example/acme/shop:1.2.3\n"
    assert (folder / "files" / "shipyard.txt").read_text() == line


def stamp(body: bytes) -> str:
    """As Shipyard signs."""
    seconds = str(int(time.time()))
    mac = hmac.digest(SECRET.encode(), f"{seconds}.".encode() + body, "sha256")
    return f"{seconds} {mac.hex()}"


def ended(api: httpx.Client, execution: str) -> Any:
    found = api.get(f"/executions/{execution}").json()
    return found if found["finished"] else None


def test_its_own_tests_pass(programs: Path, folder: Path, drivers_wheel: Path) -> None:
    command = [str(programs / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider", "driver"]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout


OTHERS = [ROOT / "examples" / name for name in ("embed", "publish_message", "copy_image")]
EXAMPLES = [EXAMPLE, FORMAT_EXAMPLE, *OTHERS]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_the_example_passes_strict_type_checkers(
    programs: Path, folder: Path, example: Path
) -> None:
    """Against the installed wheel, as its author would; ``py.typed`` and all types are in it."""
    source = shutil.copytree(example, folder / "typed" / example.name)
    python, modules = str(programs / "python"), sorted(map(str, source.glob("*.py")))
    # What mypy finds of the installed packages is the same for all.
    mypy = ["mypy", "--strict", "--config-file", os.devnull, "--cache-dir", str(folder / "mypy")]
    checkers = (
        [*mypy, "--python-executable", python, *modules],
        ["basedpyright", "--level", "error", "--pythonpath", python, *modules],
    )
    (source / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "standard"}))
    for checker in checkers:
        command = [sys.executable, "-m", *checker]
        done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=110)
        assert done.returncode == 0, done.stdout
