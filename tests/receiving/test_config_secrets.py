"""Secrets in drivers' configs: sealed, hidden, kept by updates, and whole for the driver."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretBytes, SecretStr, field_serializer
from sqlalchemy import text

from tests.support import PROJECT, make_service, push, sqlite_url, wait_for_end
from webhook_service.driver import (
    Context,
    Done,
    DriverConfig,
    Outcome,
    PushEvent,
    Secret,
    WebhookDriver,
)
from webhook_service.errors import InvalidConfig, PluginUnavailable
from webhook_service.formats.dockerhub import DockerHub
from webhook_service.formats.format import FormatOptions
from webhook_service.host.api.document.schemas import schemas
from webhook_service.model.receiver import HIDDEN, as_json
from webhook_service.receiving.config_secrets import keep_secrets
from webhook_service.service import WebhookService


class Login(DriverConfig):
    user: str
    api_token: Secret


class VaultConfig(DriverConfig):
    url: str = "https://vault.test"
    token: SecretStr
    raw: SecretBytes | None = None
    login: Login | None = None
    keys: tuple[Secret, ...] = ()
    logins: list[Login] = []
    by_name: dict[str, Secret] = {}


class Vault(WebhookDriver[VaultConfig]):
    Config = VaultConfig

    def execute(self, config: VaultConfig, event: PushEvent, context: Context) -> Outcome:
        return Done(message=opened(config))


def opened(config: VaultConfig) -> str:
    """All secrets of a config, as the driver reads them."""
    logins = [login.api_token for login in config.logins]
    login = [config.login.api_token] if config.login else []
    named = [config.by_name[name] for name in sorted(config.by_name)]
    found = [secret.get_secret_value() for secret in (*config.keys, *logins, *login, *named)]
    raw = [config.raw.get_secret_value().decode()] if config.raw else []
    return " ".join([config.token.get_secret_value(), *raw, *found])


FULL: dict[str, Any] = {
    "token": "s-token",
    "raw": "s-raw",
    "login": {"user": "u", "apiToken": "s-login"},
    "keys": ["s-key1", "s-key2"],
    "logins": [{"user": "a", "apiToken": "s-a"}, {"user": "b", "apiToken": "s-b"}],
    "byName": {"x": "s-x", "y": "s-y"},
}
ALL = "s-token s-raw s-key1 s-key2 s-a s-b s-login s-x s-y"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebhookService]:
    with make_service(sqlite_url(tmp_path)) as service:
        service.drivers.add("vault", Vault)
        yield service


def made(service: WebhookService, **config: Any) -> str:
    body = {"name": "r", "driver": "vault", "vaultConfig": config or FULL}
    return service.create_receiver(PROJECT, body).id


def seen(service: WebhookService, receiver: str) -> str:
    """What the driver is given."""
    spec = service.get_receiver(PROJECT, receiver).spec
    return opened(VaultConfig.model_validate(spec.full_config))


def shown(service: WebhookService, receiver: str) -> Any:
    return as_json(service.get_receiver(PROJECT, receiver).spec)["vaultConfig"]


def change(service: WebhookService, receiver: str, config: Any) -> str:
    service.update_receiver(PROJECT, receiver, {"vaultConfig": config})
    return seen(service, receiver)


def test_a_driver_is_given_its_secrets_when_a_push_comes(service: WebhookService) -> None:
    receiver = made(service)
    delivery = push(service, service.receiver_key(PROJECT, receiver), "1.0")
    assert wait_for_end(service, delivery.executions[0]).message == ALL


def test_secrets_are_nowhere_in_the_database_and_in_no_answer(service: WebhookService) -> None:
    receiver = made(service)
    with service.store.database.read() as connection:
        rows = connection.execute(text("SELECT * FROM receivers")).all()
    found = service.get_receiver(PROJECT, receiver)
    for where in (str(rows), json.dumps(as_json(found.spec)), repr(found)):
        assert [word for word in ALL.split() if word in where] == []
    assert shown(service, receiver)["keys"] == [HIDDEN, HIDDEN]
    assert shown(service, receiver)["login"] == {"user": "u", "apiToken": HIDDEN}


def test_an_answer_that_is_sent_back_changes_nothing(service: WebhookService) -> None:
    receiver = made(service)
    assert change(service, receiver, shown(service, receiver)) == ALL
    service.update_receiver(PROJECT, receiver, {"name": "other"})
    assert seen(service, receiver) == ALL


def test_what_an_update_leaves_out_stays_if_it_is_secret(service: WebhookService) -> None:
    receiver = made(service)
    changed = {"url": "https://other.test", "login": {"user": "v"}, "logins": [{"user": "b"}]}
    assert change(service, receiver, changed) == ALL.replace(" s-a", "")
    assert shown(service, receiver)["login"]["user"] == "v"
    assert change(service, receiver, {}) == ALL.replace(" s-a", "")
    assert "url" not in shown(service, receiver)


@pytest.mark.parametrize("name", ["api_token", "apiToken"])
def test_a_new_secret_takes_the_place_of_the_old_one(service: WebhookService, name: str) -> None:
    receiver = made(service, **FULL)
    changed = {"login": {"user": "u", name: "s-new"}, "keys": ["s-new", HIDDEN]}
    assert change(service, receiver, changed) == (
        ALL.replace("s-login", "s-new").replace("s-key1", "s-new")
    )


def test_null_removes_a_secret(service: WebhookService) -> None:
    receiver = made(service)
    assert change(service, receiver, {"login": None, "raw": None, "byName": {"x": None}}) == (
        "s-token s-key1 s-key2 s-a s-b s-y"
    )
    with pytest.raises(InvalidConfig, match="vaultConfig.token: Field required"):
        change(service, receiver, {"token": None})


def test_a_secret_goes_with_its_item_and_never_to_another(service: WebhookService) -> None:
    receiver = made(service)
    a, b = shown(service, receiver)["logins"]
    assert change(service, receiver, {"logins": [b, a]}).split()[4:6] == ["s-b", "s-a"]
    assert change(service, receiver, {"logins": [a]}).split()[4] == "s-a"
    other = {"user": "c", "apiToken": HIDDEN}
    assert change(service, receiver, {"logins": [other]}).split()[4] == "s-a"
    with pytest.raises(InvalidConfig, match=r"vaultConfig.logins.1.apiToken: \*{8} stands for"):
        change(service, receiver, {"logins": [other, {"user": "d", "apiToken": HIDDEN}]})
    with pytest.raises(InvalidConfig, match="send a new one"):
        change(service, receiver, {"keys": [HIDDEN]})


@pytest.mark.parametrize("mask", [HIDDEN, str(SecretStr("x"))])
def test_what_stands_for_a_secret_never_becomes_one(service: WebhookService, mask: str) -> None:
    with pytest.raises(InvalidConfig, match="vaultConfig.token: .* stands for a stored secret"):
        made(service, token=mask)


def test_a_sealed_config_is_not_another_receivers(service: WebhookService) -> None:
    first = made(service)
    body = {"name": "q", "driver": "vault", "vaultConfig": {"token": "t"}}
    second = service.create_receiver(PROJECT, body).id
    copy = text(
        "UPDATE receivers SET sealed_config = (SELECT r.sealed_config FROM receivers AS r "
        "WHERE r.id = :first) WHERE id = :second"
    )
    values = {"first": first, "second": second}
    service.store.database.write(lambda connection: connection.execute(copy, values))
    with pytest.raises(Exception, match="belongs to another row"):
        service.get_receiver(PROJECT, second)


class Masked(DriverConfig):
    token: str

    @field_serializer("token")
    def _hide(self, _: str) -> str:
        return "…"


class MaskedDriver(WebhookDriver[Masked]):
    Config = Masked

    def execute(self, config: Masked, event: PushEvent, context: Context) -> Outcome:
        return Done()


def test_a_config_that_json_would_change_is_refused(service: WebhookService) -> None:
    service.drivers.add("masked", MaskedDriver)
    body = {"name": "m", "driver": "masked", "maskedConfig": {"token": "t"}}
    with pytest.raises(InvalidConfig, match=r"maskedConfig.token: does not come back"):
        service.create_receiver(PROJECT, body)


class SecretFormatOptions(FormatOptions):
    decrypt: list[SecretStr] | None = None


class SecretFormat(DockerHub):
    Options = SecretFormatOptions


def test_a_format_with_a_secret_is_refused(service: WebhookService) -> None:
    service.formats.add("dockerhub", SecretFormat)
    with pytest.raises(PluginUnavailable, match="Secrets belong to a scheme"):
        made(service)


def test_the_schemas_mark_secrets(service: WebhookService) -> None:
    schema, *_ = [each for each in schemas(service.drivers.plugins) if each.id == "vault"]
    assert schema.extra["jsonSchema"]["properties"]["token"]["writeOnly"] is True
    types = {name: schema.fields[name]["type"] for name in ("token", "raw", "keys", "url")}
    assert types == {
        "token": "password",
        "raw": "password",
        "keys": "array[password]",
        "url": "string",
    }


@pytest.mark.parametrize("given", [["x"] * 200, [[[[[["x"]]]]]], []])
def test_a_list_in_the_place_of_a_secret_is_taken_as_it_is(given: list[Any]) -> None:
    assert keep_secrets({"url": given}, {"url": HIDDEN}, {"url": "abc"}) == {"url": given}
