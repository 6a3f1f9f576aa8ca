from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from webhook_service.errors import SettingsError
from webhook_service.settings import Settings, load_settings


def test_defaults_need_nothing_set() -> None:
    settings = load_settings()
    assert settings.database_url.startswith("sqlite:///")
    assert (settings.listen_host, settings.listen_port) == ("127.0.0.1", 8085)
    assert settings.driver_options == {}


def test_the_environment_is_read_by_the_documented_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_SERVICE_DATABASE_URL", "postgresql://u@h/d")
    monkeypatch.setenv("WEBHOOK_SERVICE_LISTEN", "[::1]:9000")
    monkeypatch.setenv("WEBHOOK_SERVICE_BASE_URL", "https://hooks.example/")
    monkeypatch.setenv("WEBHOOK_SERVICE_KUBECONFIG", "/k")
    monkeypatch.setenv("WEBHOOK_SERVICE_KUBE_CONTEXT", "blue")
    monkeypatch.setenv("WEBHOOK_SERVICE_DRIVERS", "deploymentUpdate, other")
    monkeypatch.setenv("WEBHOOK_SERVICE_TRUSTED_PROXIES", "10.0.0.0/8,::1")
    settings = load_settings()
    assert settings.database_url == "postgresql://u@h/d"
    assert (settings.listen_host, settings.listen_port) == ("::1", 9000)
    assert settings.base_url == "https://hooks.example"
    assert settings.drivers == ("deploymentUpdate", "other")
    assert [str(network) for network in settings.trusted_proxies] == ["10.0.0.0/8", "::1/128"]
    assert settings.driver_options == {
        "kubeconfig": "/k",
        "kube_context": "blue",
        "base_url": "https://hooks.example",
    }


def test_clusters_and_grants_are_json_in_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_SERVICE_CLUSTERS", '{"prod": {"context": "p", "account": "d"}}')
    monkeypatch.setenv("WEBHOOK_SERVICE_NAMESPACES", '{"red": ["shop", "prod/*"]}')
    options = load_settings().driver_options
    assert options["clusters"]["prod"] == {
        "kubeconfig": None,
        "context": "p",
        "in_cluster": False,
        "account": "d",
    }
    assert options["namespaces"] == {"red": ["shop", "prod/*"]}


def test_a_variable_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('listen = "0.0.0.0:80"\nworkers = 3\n')
    monkeypatch.setenv("WEBHOOK_SERVICE_CONFIG", str(file))
    monkeypatch.setenv("WEBHOOK_SERVICE_WORKERS", "5")
    settings = load_settings()
    assert (settings.listen_port, settings.workers) == (80, 5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LISTEN", "nowhere"),
        ("LISTEN", "host:99999"),
        ("BASE_URL", "hooks.example"),
        ("ENGINE", "magic"),
        ("BROKER_URL", "sqs://key:secret@"),
        ("BROKER_URL", "redis://host:port/0"),
        ("BROKER_URL", "redis://host/first"),
        ("BROKER_URL", "amqp://host//;amqp://other:70000//"),
        ("BASE_URL", "https://host:port"),
        ("OTLP_ENDPOINT", "https://host:port"),
        ("WORKERS", "0"),
        ("SECRET_KEY", "short"),
        ("TRUSTED_PROXIES", "everyone"),
        ("CLUSTERS", "prod"),
        ("CLUSTERS", '{"prod": {"in_cluster": true, "context": "prod"}}'),
        ("CLUSTERS", '{"prod": {"kubconfig": "/k"}}'),
        ("NAMESPACES", '{"red": "shop"}'),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"WEBHOOK_SERVICE_{name}", value)
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert name.lower() in error.value.message
    assert value == "0" or f"'{value}'" not in error.value.message


@pytest.mark.parametrize(
    ("listen", "metrics", "fits"),
    [
        ("127.0.0.1:8085", "127.0.0.1:8085", False),
        ("0.0.0.0:8085", "127.0.0.1:8085", False),
        ("127.0.0.1:8085", "[::]:8085", False),
        ("127.0.0.1:8085", "127.0.0.2:8085", True),
        ("127.0.0.1:8085", "127.0.0.1:9464", True),
        ("127.0.0.1:0", "127.0.0.1:0", True),
    ],
)
def test_metrics_need_a_port_of_their_own(listen: str, metrics: str, fits: bool) -> None:
    if fits:
        assert load_settings(listen=listen, metrics_listen=metrics).metrics_listen == metrics
    else:
        with pytest.raises(SettingsError, match="cannot be used: listen and metrics_listen need a"):
            load_settings(listen=listen, metrics_listen=metrics)


def test_a_password_that_breaks_its_url_is_not_in_the_message() -> None:
    for name in ("broker_url", "smtp_url"):
        scheme = {"broker_url": "amqp", "smtp_url": "smtps"}[name]
        with pytest.raises(SettingsError, match=f"{name}.*percent-encoded") as error:
            load_settings(**{name: f"{scheme}://ada:hu/sh@host", "smtp_from": "a@b.example"})
        assert "hu" not in error.value.message and "sh@" not in error.value.message


def test_a_missing_or_broken_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WEBHOOK_SERVICE_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(SettingsError, match="none.toml"):
        load_settings()
    (tmp_path / "bad.toml").write_text("listen = [")
    monkeypatch.setenv("WEBHOOK_SERVICE_CONFIG", str(tmp_path / "bad.toml"))
    with pytest.raises(SettingsError, match="bad.toml"):
        load_settings()
    (tmp_path / "typo.toml").write_text("lisssten = 1")
    monkeypatch.setenv("WEBHOOK_SERVICE_CONFIG", str(tmp_path / "typo.toml"))
    with pytest.raises(SettingsError, match="lisssten is no setting, the nearest is listen"):
        load_settings()


@pytest.mark.parametrize("dropped", [{"_env_file": "more.env"}, {"_secrets_dir": "/run/secrets"}])
def test_what_would_not_be_read_is_refused(dropped: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=f"{next(iter(dropped))} is not read"):
        Settings(**dropped)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"worker": 3}, "worker is no setting, the nearest is workers"),
        (
            {"clusters": {"p": {"kubconfig": "/k"}}},
            "kubconfig is no setting, the nearest is kubeconfi",
        ),
        ({"nothing_like_it": 3}, "nothing_like_it is no setting[.]"),
    ],
)
def test_a_name_that_is_no_setting_is_refused_with_the_nearest(
    given: dict[str, Any], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        load_settings(**given)


@pytest.mark.parametrize("read", [Settings, load_settings])
def test_a_misspelt_variable_and_a_missing_file_are_refused_however_settings_are_read(
    read: Callable[[], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_SERVICE_WORKER", "3")
    with pytest.raises(SettingsError, match="the nearest is WEBHOOK_SERVICE_WORKERS"):
        read()
    monkeypatch.delenv("WEBHOOK_SERVICE_WORKER")
    monkeypatch.setenv("WEBHOOK_SERVICE_CONFIG", "/no/such.toml")
    with pytest.raises(SettingsError, match="is not a file"):
        read()
