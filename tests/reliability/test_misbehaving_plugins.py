"""One host with plug-ins that misbehave in every way: pushes to good receivers all succeed."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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
endless = misbehaving_plugins:Endless
[webhook_service.schemes]
badScheme = misbehaving_plugins:BadScheme
"""
WAYS = [way for way in misbehaving_plugins.HOW if way != "hang"]
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
HANGING: dict[str, dict[str, Any]] = {
    "slot": DRIVER | {"badDriverConfig": {"slot": "hang"}},
    "parse": DRIVER | {"source": {"format": "badFormat", "parse": "hang"}},
    "check": DRIVER | {"verify": {"scheme": "badScheme", "check": "hang"}},
    "greet": DRIVER | {"verify": {"scheme": "badScheme", "greet": "hang"}},
}
# What hangs while somebody writes a receiver.
UNWRITABLE: dict[str, dict[str, Any]] = {
    "validate": DRIVER | {"badDriverConfig": {"validate": "hang"}},
    "constructor": DRIVER | {"source": {"format": "endless"}},
}


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


def _post(url: str, tag: str, timeout: float = 30) -> int:
    body = dockerhub_push(REPOSITORY, tag)
    headers = {"content-type": "application/json"}
    answer = httpx.post(url, content=body, headers=headers, timeout=timeout)
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


@pytest.mark.parametrize("host", ["sqlite"], indirect=True)
def test_plugins_that_hang_keep_nobody_else_waiting_and_their_callers_are_told(
    host: Host, farm: Farm
) -> None:
    name = farm.names[1]
    config = {"namespace": NAMESPACE, "name": name}
    good = {"driver": "deploymentUpdate", "deploymentUpdateConfig": config}
    good |= {"match": {"repositories": [REPOSITORY]}, "verify": {"scheme": "none"}}
    well = host.create_receiver(name="well", **good)["url"]
    bad = [host.create_receiver(name=each, **body)["url"] for each, body in HANGING.items()]
    with ThreadPoolExecutor(20) as callers:
        written = [
            callers.submit(_create, host, {"name": each, **body})
            for each, body in UNWRITABLE.items()
        ]
        told = [callers.submit(_post, url, "0", 60) for url in bad]
        for tag in range(1, 11):
            assert _post(well, str(tag), 5) == 200
            assert httpx.get(f"{host.url}/healthz", timeout=5).text == "ok\n"
        assert not any(each.done() for each in (*written, *told))
        assert [each.result() for each in told] == [503] * len(bad)
        # All hang that may: the next call is refused at once.
        again = [callers.submit(_post, bad[0], "0", 60) for _ in range(8)]
        assert {each.result() for each in again} == {503}
        began = time.monotonic()
        assert _post(bad[0], "0", 5) == 503
        assert time.monotonic() - began < 5
        assert _post(well, "11", 5) == 200
        assert [each.result() for each in written] == [503] * len(written)
    assert wait_for(lambda: farm.image(name).endswith(":11"))
    assert "it hangs in wait (" in host.process.log.read_text()
    assert httpx.get(f"{host.url}/healthz", timeout=5).text == "ok\n"


def _create(host: Host, body: dict[str, Any]) -> int:
    return host.api.post("/receivers", json=body, timeout=120).status_code
