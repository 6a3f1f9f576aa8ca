"""The secret key: a wrong one stops the start, and an old one can go once all is sealed again."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from tests.support import PROJECT, make_service
from webhook_service.driver import Secret
from webhook_service.errors import SettingsError
from webhook_service.model.ids import new_key
from webhook_service.model.pages import PageRequest
from webhook_service.schemes.github import GitHub
from webhook_service.service import WebhookService
from webhook_service.settings import load_settings
from webhook_service.store.secrets import secret_key
from webhook_service.store.store import Store, open_store
from webhook_service.store.tables import keys
from webhook_service.testing.stub import StubConfig, StubDriver

OLD, NEW = "the old secret key", "the new secret key"


class LoginConfig(StubConfig):
    token: Secret


class Login(StubDriver):
    Config = LoginConfig


def opened(url: str, key: str) -> Store:
    return open_store(load_settings(database_url=url, secret_key=key))


def fill(service: WebhookService, count: int) -> list[str]:
    """Receivers with every kind of secret."""
    service.schemes.add("github", GitHub)
    made = []
    for number in range(count):
        verify = {"scheme": "github", "secret": f"verify-{number}"}
        config = {"token": f"config-{number}"}
        body = {"name": f"r{number}", "driver": "stub", "stubConfig": config, "verify": verify}
        made.append(service.create_receiver(PROJECT, body).id)
    return made


def secrets_of(store: Store, receiver: str) -> tuple[object, ...]:
    spec = store.receivers.get(PROJECT, receiver).spec
    return store.receivers.key(receiver).key, spec.verify.secrets, spec.full_config


@pytest.fixture
def filled(database_url: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr("tests.support.SECRET", OLD)
    with make_service(database_url, {"stub": Login}, run=False) as service:
        return fill(service, 5)


def test_once_all_is_sealed_again_the_old_key_can_go(
    database_url: str, filled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secret_key, "BATCH", 2)
    store = opened(database_url, f"{NEW},{OLD}")
    before = [secrets_of(store, receiver) for receiver in filled]
    assert store.reseal() == 10  # each has a key, and a row with both of its secrets
    store.close()
    store = opened(database_url, NEW)
    assert [secrets_of(store, receiver) for receiver in filled] == before
    store.close()
    with pytest.raises(SettingsError, match="does not open"):
        opened(database_url, OLD)


def test_a_wrong_key_stops_the_start(database_url: str, filled: list[str]) -> None:
    with pytest.raises(SettingsError, match="Set it again, behind a comma after the new one"):
        opened(database_url, NEW)
    opened(database_url, f"{NEW},{OLD}").close()


def test_a_key_that_goes_too_early_stops_the_start(database_url: str, filled: list[str]) -> None:
    store = opened(database_url, f"{NEW},{OLD}")
    for receiver in filled:  # their other secrets are still sealed with the old one
        store.receivers.rotate(PROJECT, receiver, new_key(), timedelta(0))
    later = keys.c.expires.is_not(None)
    store.database.write(lambda connection: connection.execute(delete(keys).where(later)))
    store.close()
    with pytest.raises(SettingsError, match="does not open"):
        opened(database_url, NEW)


def test_a_change_during_the_rotation_is_kept(database_url: str, filled: list[str]) -> None:
    store = opened(database_url, f"{NEW},{OLD}")
    old = store.receivers.get(PROJECT, filled[0])
    store.reseal()
    changed, _ = store.receivers.update(old, old.spec.model_copy(update={"name": "other"}))
    assert (changed.name, changed.version) == ("other", old.version + 1)
    store.close()


def test_an_empty_database_takes_any_key(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    opened(url, OLD).close()
    store = opened(url, NEW)
    assert store.receivers.page(PROJECT, PageRequest()).items == ()
    store.close()
