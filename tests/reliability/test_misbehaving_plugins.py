"""One host with plug-ins that misbehave in every way: pushes to good receivers all succeed."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.host import Host
from tests.reliability import misbehaving_plugins
from tests.reliability.conftest import SETTINGS
from tests.reliability.farm import NAMESPACE, REPOSITORY, Farm
from tests.support import sqlite_url, wait_for
from webhook_service.testing.samples import dockerhub_push

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ENTRY_POINTS = """
[webhook_service.drivers]
badDriver = misbehaving_plugins:BadDriver
endsAtImport = ends_at_import:Driver
nowhere = misbehaving_plugins:Nothing
[webhook_service.formats]
badFormat = misbehaving_plugins:BadFormat
unmakeable = misbehaving_plugins:Unmakeable
[webhook_service.schemes]
badScheme = misbehaving_plugins:BadScheme
"""
WAYS = list(misbehaving_plugins.HOW)
DRIVER: dict[str, Any] = {"driver": "badDriver", "verify": {"scheme": "none"}}
# What each receiver does wrong at its calls, and the answer that its sender gets.
REFUSED: dict[str, dict[str, Any]] = {
    **{f"slot {way}": DRIVER | {"badDriverConfig": {"slot": way}} for way in WAYS},
    **{f"parse {way}": DRIVER | {"source": {"format": "badFormat", "parse": way}} for way in WAYS},
    **{
        f"{method} {way}": DRIVER | {"verify": {"scheme": "badScheme", method: way}}
        for way in WAYS
        for method in ("check", "greet")
    },
}
ACCEPTED: dict[str, dict[str, Any]] = {
    f"execute {way}": DRIVER | {"badDriverConfig": {"execute": way}}
    for way in (*WAYS, "wait", "say")
}
ROUNDS = 3


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def host(
    request: pytest.FixtureRequest, tmp_path: Path, farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Host]:
    site = tmp_path / "site"
    _install(site)
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    folder = tmp_path / "host"
    folder.mkdir()
    # Alembic stops at a list that cannot be read; a database that is up to date does not need it.
    url = sqlite_url(folder)
    if request.param == "postgresql":
        url = request.getfixturevalue("database")
    settings = SETTINGS | {"WORKERS": "2", "DATABASE_URL": url}
    with Host(folder, farm.kubeconfig, settings) as host:
        yield host


def _install(site: Path) -> None:
    """Distributions as an installer leaves them; the list of one cannot be read."""
    lists = {"misbehaving": ENTRY_POINTS, "unrelated": "[some.group]\na line that is none\n"}
    for name, lines in lists.items():
        info = site / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(lines)
    source = Path(misbehaving_plugins.__file__).read_text()
    (site / "misbehaving_plugins.py").write_text(source)
    (site / "ends_at_import.py").write_text("import sys\nsys.exit(3)\n")


def _post(url: str, tag: str) -> int:
    body = dockerhub_push(REPOSITORY, tag)
    answer = httpx.post(url, content=body, headers={"content-type": "application/json"}, timeout=30)
    assert "Traceback" not in answer.text
    return answer.status_code


def test_pushes_to_good_receivers_all_succeed_beside_plugins_that_misbehave(
    host: Host, farm: Farm
) -> None:
    name = farm.names[0]
    good = {
        "driver": "deploymentUpdate",
        "deploymentUpdateConfig": {"namespace": NAMESPACE, "name": name},
        "match": {"repositories": [REPOSITORY]},
        "verify": {"scheme": "none"},
    }
    well = host.create_receiver(name="well", **good)["url"]
    auto = host.create_receiver(name="auto", **good | {"source": {"format": "auto"}})["url"]
    bad = {
        each: host.create_receiver(name=each, **body)["url"]
        for each, body in (REFUSED | ACCEPTED).items()
    }
    tag = 0
    for _ in range(ROUNDS):
        for each, url in bad.items():
            tag += 1
            assert (each, _post(url, str(tag))) == (each, 503 if each in REFUSED else 200)
        for url in (well, auto):
            tag += 1
            assert _post(url, str(tag)) == 200
            assert host.wait_for_end(str(tag))["state"] in ("succeeded", "unchanged")
    assert httpx.get(f"{host.url}/healthz").text == "ok\n"
    assert wait_for(lambda: farm.image(name).endswith(f":{tag}"))
    drivers = {each["name"]: each["state"] for each in host.command("driver", "list")["data"]}
    assert {"endsAtImport": "broken", "nowhere": "broken", "badDriver": "ready"}.items() <= (
        drivers.items()
    )
