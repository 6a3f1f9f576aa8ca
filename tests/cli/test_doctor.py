"""``webhook-service doctor`` names what is wrong, and says what to do."""

import json
import socket
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Self

import pytest

from tests.cli.conftest import Run
from tests.host.served import Served, serving
from webhook_service.errors import InvalidConfig
from webhook_service.model.people.tokens import Role
from webhook_service.plugins.discovery import Plugin
from webhook_service.receiving.cache import CompiledReceivers
from webhook_service.service import WebhookService

Patch = pytest.MonkeyPatch
Break = Callable[[Path, Patch], None]


def variable(name: str, value: str) -> Break:
    """A set-up with a setting."""

    def set_it(folder: Path, patch: Patch) -> None:
        patch.setenv(f"WEBHOOK_SERVICE_{name}", value.replace("FOLDER", str(folder)))

    return set_it


def both(*breaks: Break) -> Break:
    def all_of_them(folder: Path, patch: Patch) -> None:
        for each in breaks:
            each(folder, patch)

    return all_of_them


def no_database(folder: Path, _: Patch) -> None:
    (folder / "cli.db").unlink()


def garbage(folder: Path, _: Patch) -> None:
    (folder / "cli.db").write_bytes(b"no database at all" * 1000)


def empty_file(folder: Path, _: Patch) -> None:
    (folder / "cli.db").write_bytes(b"")


def no_key(folder: Path, _: Patch) -> None:
    (folder / "cli.key").unlink()


def lost_key(folder: Path, patch: Patch) -> None:
    with WebhookService.open(run=False) as service:
        body = {"name": "shop", "driver": "stub", "verify": {"scheme": "none"}}
        service.create_receiver("1a5", body)
    no_key(folder, patch)


def toml(text: str) -> Break:
    def write(folder: Path, patch: Patch) -> None:
        (folder / "settings.toml").write_text(text)
        patch.setenv("WEBHOOK_SERVICE_CONFIG", str(folder / "settings.toml"))

    return write


def clock_behind(_: Path, patch: Patch) -> None:
    class Behind(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) - timedelta(minutes=5)

    patch.setattr("webhook_service.cli.doctor.local.datetime", Behind)


def target_gone(_: Path, patch: Patch) -> None:
    with WebhookService.open(run=False) as service:
        body = {"name": "shop", "driver": "stub", "verify": {"scheme": "none"}}
        service.create_receiver("1a5", body)

    def refuse(*_: object) -> None:
        raise InvalidConfig("The Deployment shop/shop does not exist: make it first.")

    patch.setattr(WebhookService, "require_working", refuse)


def full_disk(_: Path, patch: Patch) -> None:
    patch.setenv("WEBHOOK_SERVICE_MIN_FREE_BYTES", str(1 << 60))


SET_UPS = {
    "certificate without its key": (
        variable("TLS_CERT", "FOLDER/none"),
        "cannot be used: tls_cert and tls_key go together",
    ),
    "misspelt variable": (variable("LISTN", "x"), "nearest is WEBHOOK_SERVICE_LISTEN"),
    "listen without port": (variable("LISTEN", "localhost"), "must be address:port"),
    "base URL without scheme": (variable("BASE_URL", "hooks.example.com"), "must start with http"),
    "too few days": (variable("KEEP_HISTORY_DAYS", "1"), "must be at least 7"),
    "no number": (variable("WORKERS", "many"), "workers"),
    "broker of another kind": (variable("BROKER_URL", "kafka://x"), "must start with one of"),
    "clusters that are no JSON": (variable("CLUSTERS", "{"), "no JSON"),
    "no settings file": (variable("CONFIG", "FOLDER/none.toml"), "which is not a file"),
    "settings file that is no TOML": (toml("listen = "), "which is no TOML"),
    "misspelt setting in the file": (toml('listn = "x"'), "listn"),
    "no database": (no_database, "the first 'serve' makes it"),
    "file that is no database": (garbage, "broken   database"),
    "database without schema": (empty_file, "run 'webhook-service migrate'"),
    "no key, and nothing sealed": (no_key, "the first 'serve' makes"),
    "lost key": (lost_key, "cli.key is not there"),
    "lost key file": (variable("SECRET_KEY_FILE", "FOLDER/none"), "none cannot be read"),
    "wrong key": (variable("SECRET_KEY", "another-key-of-32-characters-here"), "secret key"),
    "celery without broker": (variable("ENGINE", "celery"), "needs WEBHOOK_SERVICE_BROKER_URL"),
    "broker that is down": (
        both(variable("ENGINE", "celery"), variable("BROKER_URL", "amqp://127.0.0.1:1//")),
        "127.0.0.1:1 does not answer",
    ),
    "no kubeconfig": (variable("KUBECONFIG", "FOLDER/none"), "none is no file"),
    "no base URL": (variable("LISTEN", "127.0.0.1:1"), "Set WEBHOOK_SERVICE_BASE_URL"),
    "nothing serves": (variable("BASE_URL", "http://127.0.0.1:1"), "does not answer"),
    "unknown host": (variable("BASE_URL", "http://hooks.invalid"), "hooks.invalid does not answer"),
    "clock that is off": (clock_behind, "let NTP set both"),
    "target that is gone": (target_gone, "receiver 1a5/shop: The Deployment shop/shop"),
    "full disk": (full_disk, "make room"),
    "driver that is not there": (variable("DRIVERS", "jobRn"), "the nearest is jobRun"),
    "driver of another version": (variable("DRIVERS", "jobRun==9"), "plug-in jobRun: WEBHOOK"),
}


@pytest.mark.parametrize("name", SET_UPS)
def test_a_broken_set_up_is_named(name: str, run: Run, tmp_path: Path, monkeypatch: Patch) -> None:
    break_it, said = SET_UPS[name]
    break_it(tmp_path, monkeypatch)
    result = run("doctor")
    assert said in result.stdout and "Traceback" not in result.stderr
    assert ("broken" in result.stdout) == (result.exit_code == 1)


@pytest.mark.parametrize("break_it", [no_key, lost_key])
def test_a_look_makes_no_key(break_it: Break, run: Run, tmp_path: Path, monkeypatch: Patch) -> None:
    break_it(tmp_path, monkeypatch)
    run("doctor")
    assert not (tmp_path / "cli.key").exists()


def test_a_good_set_up_passes(run: Run, monkeypatch: Patch) -> None:
    with serving(WebhookService.open(run=False)) as served:
        monkeypatch.setenv("WEBHOOK_SERVICE_BASE_URL", served.base)
        result = run("doctor", "-o", "json")
    found: Any = json.loads(result.stdout)["data"]
    assert (result.exit_code, {each["health"] for each in found}) == (0, {"ok"})
    assert {"settings", "database", "secret key", "address", "clock"} <= {
        each["what"] for each in found
    }


def test_another_server_at_the_address_is_named(run: Run, monkeypatch: Patch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr("webhook_service.cli.doctor.local.SECONDS", 0.2)
        port = silent.getsockname()[1]
        monkeypatch.setenv("WEBHOOK_SERVICE_BASE_URL", f"http://127.0.0.1:{port}")
        assert f"127.0.0.1:{port} does not answer" in run("doctor").stdout


@pytest.fixture
def served() -> Iterator[Served]:
    with serving(WebhookService.open()) as served:
        yield served


def token_of(served: Served) -> str:
    return served.service.create_token("1a5", Role.OWNER)[1]


def broken_plug_in(served: Served, _: Patch) -> None:
    plugin: Plugin[Any] = Plugin("lost", "webhook-lost", "1", None, "It cannot be imported.")
    served.service.drivers.plugins._loaders["lost"] = lambda: plugin


def lacking_plug_in(served: Served, _: Patch) -> None:
    lack = "it needs nomad: pip install 'webhook-lost[nomad]'."
    plugin: Plugin[Any] = Plugin("lost", "webhook-lost", "1", lack=lack)
    served.service.drivers.plugins._loaders["lost"] = lambda: plugin


def broken_receiver(served: Served, patch: Patch) -> None:
    body = {"name": "shop", "driver": "stub", "verify": {"scheme": "none"}}
    served.service.create_receiver("1a5", body)
    patch.setattr(CompiledReceivers, "problem", lambda *_: "It cannot be used: mend it.")


def clock_of_the_server(_: Served, patch: Patch) -> None:
    class Behind(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) - timedelta(minutes=5)

    patch.setattr("webhook_service.cli.doctor.remote.datetime", Behind)


THERE: dict[str, tuple[Callable[[Served, Patch], None], str]] = {
    "plug-in that does not load": (broken_plug_in, "plug-in lost"),
    "plug-in without its extra": (lacking_plug_in, "pip install 'webhook-lost[nomad]'"),
    "receiver that cannot work": (broken_receiver, "receiver shop"),
    "clock that is off": (clock_of_the_server, "let NTP set both"),
}


@pytest.mark.parametrize("name", THERE)
def test_what_is_wrong_with_a_server_is_named(
    name: str, served: Served, run: Run, monkeypatch: Patch
) -> None:
    break_it, said = THERE[name]
    token = token_of(served)
    break_it(served, monkeypatch)
    result = run("--server", served.base, "--token", token, "doctor")
    assert said in result.stdout and "Traceback" not in result.stderr
    assert ("broken" in result.stdout) == (result.exit_code == 1)


def test_a_token_that_the_server_does_not_know_is_named(served: Served, run: Run) -> None:
    result = run("--server", served.base, "--token", "wht_wrong", "doctor")
    assert result.exit_code == 1
    assert "ok       server" in result.stdout and "broken   token" in result.stdout


def test_a_server_that_is_not_there_is_named(run: Run) -> None:
    result = run("--server", "http://127.0.0.1:1", "--token", "wht_x", "doctor")
    assert result.exit_code == 1 and "broken   server" in result.stdout


def test_a_good_server_passes(served: Served, run: Run) -> None:
    result = run("--server", served.base, "--token", token_of(served), "doctor", "-o", "json")
    found = json.loads(result.stdout)["data"]
    assert (result.exit_code, {each["health"] for each in found}) == (0, {"ok"})
