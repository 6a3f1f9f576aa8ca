import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from webhook_service.errors import SettingsError
from webhook_service.images import Image, parse_image
from webhook_service.registry.credentials import DockerConfig, DockerConfigFile, Login

SHOP = parse_image("registry.example/acme/shop:1")


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def config(auths: Any = None, **more: Any) -> DockerConfig:
    return DockerConfig.parse(json.dumps({"auths": auths or {}} | more).encode())


@pytest.mark.parametrize(
    ("key", "image"),
    [
        ("https://index.docker.io/v1/", "acme/shop"),
        ("https://index.docker.io/v1", "nginx"),
        ("index.docker.io", "acme/shop"),
        ("docker.io", "acme/shop"),
        ("https://registry-1.docker.io/v2/", "acme/shop"),
        ("registry.example", "registry.example/acme/shop"),
        ("https://registry.example", "registry.example/acme/shop"),
        ("https://registry.example/v2/", "registry.example/acme/shop"),
        ("http://registry.example:5000", "registry.example:5000/acme/shop"),
        ("Registry.Example", "registry.example/acme/shop"),
        ("registry.example/acme", "registry.example/acme/shop"),
        ("registry.example/acme/shop", "registry.example/acme/shop"),
    ],
)
def test_login_is_found_by_each_spelling_of_a_registry(key: str, image: str) -> None:
    found = config({key: {"auth": encoded("me:hush")}}).find(parse_image(image))
    assert found == Login("me", "hush")


@pytest.mark.parametrize(
    "key", ["other.example", "registry.example:5000", "registry.example/acm", "example"]
)
def test_login_of_another_registry_is_not_used(key: str) -> None:
    assert config({key: {"auth": encoded("me:hush")}}).find(SHOP) is None


def test_entry_for_the_repository_wins_over_the_registrys() -> None:
    found = config(
        {
            "registry.example": {"auth": encoded("all:1")},
            "registry.example/acme": {"auth": encoded("acme:2")},
        }
    )
    assert found.find(SHOP) == Login("acme", "2")
    assert found.find(Image("registry.example", "other/shop")) == Login("all", "1")


@pytest.mark.parametrize(
    ("entry", "login"),
    [
        ({"username": "me", "password": "hush"}, Login("me", "hush")),
        ({"username": "x", "password": "y", "auth": encoded("me:a:b")}, Login("me", "a:b")),
        ({"auth": encoded("me:hush\0\0")}, Login("me", "hush")),
        ({"auth": encoded("<token>:abc")}, Login("<token>", "", "abc")),
        ({"auth": encoded("0000:"), "identitytoken": "abc"}, Login("0000", "", "abc")),
        ({"identitytoken": "abc"}, Login("", "", "abc")),
        ({}, None),
        ({"email": "me@example"}, None),
    ],
)
def test_entry_reads_as_a_login(entry: dict[str, str], login: Login | None) -> None:
    assert config({"registry.example": entry}).find(SHOP) == login


def test_pull_secret_of_kubernetes_is_the_same_json() -> None:
    entry = {"username": "me", "password": "hush", "auth": encoded("me:hush"), "email": ""}
    secret = {"auths": {"registry.example": entry}}
    assert DockerConfig.parse(json.dumps(secret).encode()).find(SHOP) == Login("me", "hush")


def test_basic_header_is_that_of_the_login() -> None:
    assert Login("me", "hüsh").basic == f"Basic {encoded('me:hüsh')}"


def test_login_does_not_show_its_secrets() -> None:
    assert "hush" not in repr(Login("me", "hush", "hush-hush"))


@pytest.mark.parametrize(
    ("more", "helped"),
    [
        ({}, False),
        ({"credHelpers": {"registry.example": "ecr-login"}}, True),
        ({"credHelpers": {"other.example": "ecr-login"}}, False),
        ({"credsStore": "desktop"}, True),
    ],
)
def test_helpers_are_noticed_and_never_run(more: dict[str, Any], helped: bool) -> None:
    found = config(**more)
    assert found.helped(SHOP) is helped
    assert found.find(SHOP) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"auths": []}',
        '{"auths": {"registry.example": "hush"}}',
        '{"auths": {"registry.example": {"auth": "hush!"}}}',
        '{"auths": {"registry.example": {"auth": "aHVzaA=="}}}',
        '{"auths": {"registry.example": {"auth": "/////w=="}}}',
        '{"credHelpers": "hush"}',
    ],
)
def test_file_that_is_no_docker_config_is_an_error_that_quotes_nothing(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        DockerConfig.parse(text.encode())
    assert "hush" not in str(caught.value) and "aHVzaA" not in str(caught.value)


def write(file: Path, user: str, age: int) -> None:
    file.write_text(json.dumps({"auths": {"registry.example": {"auth": encoded(f"{user}:x")}}}))
    os.utime(file, (1_700_000_000 + age, 1_700_000_000 + age))


def test_changed_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    write(file, "old", 0)
    logins = DockerConfigFile(file)
    write(file, "new", 1)
    assert logins.find(SHOP) == Login("new", "x")


@pytest.mark.parametrize("broken", ["{", None])
def test_last_good_content_stays_while_the_file_is_broken(
    tmp_path: Path, broken: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "config.json"
    write(file, "old", 0)
    logins = DockerConfigFile(file)
    file.write_text(broken) if broken else file.unlink()
    assert logins.find(SHOP) == Login("old", "x")
    assert "last good Docker config stays in use" in caplog.text
    write(file, "new", 2)
    assert logins.find(SHOP) == Login("new", "x")


def test_missing_file_is_an_error_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        DockerConfigFile(tmp_path / "none.json")


def test_large_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b" " * (1024 * 1024 + 1))
    with pytest.raises(SettingsError, match="larger"):
        DockerConfigFile(tmp_path / "config.json")
