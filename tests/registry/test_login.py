"""The real registry with Basic and token authentication, and images that skopeo pushes."""

from pathlib import Path

import pytest

from tests.registry.conftest import LOGIN, Fake, MakeClient, auths
from tests.servers.canned import Canned, reply
from tests.servers.images import Image, build, push
from tests.servers.registry import PASSWORD, Registry
from tests.servers.token_server import REFRESH_TOKEN, TokenServer
from webhook_service.errors import DriverError, Retry
from webhook_service.images import parse_image
from webhook_service.registry.client import RegistryClient

CHALLENGE = (
    'Bearer realm="{realm}",service="tests-registry",scope="repository:x/y:pull,push,delete"'
)
ASKED = "GET /token?scope=repository%3Aacme%2Fshop%3Apull&service=tests-registry"
GOOD_TOKEN = reply(body=b'{"token": "abc"}')
DIGEST = f"sha256:{'a' * 64}"
FOUND = reply(Docker_Content_Digest=DIGEST, Content_Type="application/json")


def head(client: RegistryClient, address: str, repository: str = "acme/shop") -> str | None:
    image = parse_image(f"{address}/{repository}")
    found = client.repository(image).head("1.2.3")
    return found.digest if found else None


def denied(client: RegistryClient, address: str, repository: str = "acme/shop") -> str:
    with pytest.raises(DriverError) as caught:
        head(client, address, repository)
    assert caught.value.reason == "registry_denied"
    assert not isinstance(caught.value, Retry)
    assert PASSWORD not in caught.value.message
    return caught.value.message


@pytest.fixture
def basic_image(basic_registry: Registry, folder: Path) -> Image:
    image = build(folder)
    push(image, f"{basic_registry.address}/acme/shop:1.2.3", login=LOGIN)
    return image


@pytest.fixture
def token_image(token_registry: Registry, folder: Path) -> Image:
    image = build(folder)
    for repository in ("acme/shop", "public/shop"):
        push(image, f"{token_registry.address}/{repository}:1.2.3", login=LOGIN)
    return image


def test_basic_login_is_used(
    basic_registry: Registry, basic_image: Image, client: MakeClient
) -> None:
    address = basic_registry.address
    assert head(client(address, auths(address)), address) == basic_image.digest


def test_wrong_basic_login_is_denied(basic_registry: Registry, client: MakeClient) -> None:
    address = basic_registry.address
    message = denied(client(address, auths(address, "me:wrong")), address)
    assert message.endswith(f"the login for {address} in the Docker config may not read it.")


def test_missing_login_is_denied_with_the_setting_to_use(
    basic_registry: Registry, client: MakeClient
) -> None:
    address = basic_registry.address
    assert "WEBHOOK_SERVICE_DOCKER_CONFIG" in denied(client(address), address)


def test_login_left_to_a_helper_is_denied_with_the_reason(
    basic_registry: Registry, client: MakeClient
) -> None:
    address = basic_registry.address
    message = denied(client(address, {"credHelpers": {address: "ecr-login"}}), address)
    assert "credential helper, which is not run" in message


def test_token_is_fetched_with_the_login(
    token_registry: Registry, token_image: Image, client: MakeClient
) -> None:
    address = token_registry.address
    assert head(client(address, auths(address)), address) == token_image.digest


def test_token_is_fetched_without_a_login(
    token_registry: Registry, token_image: Image, client: MakeClient
) -> None:
    address = token_registry.address
    assert head(client(address), address, "public/shop") == token_image.digest
    denied(client(address), address)


def test_token_is_fetched_with_a_refresh_token(
    token_registry: Registry, token_image: Image, client: MakeClient
) -> None:
    address = token_registry.address
    config = {"auths": {address: {"identitytoken": REFRESH_TOKEN}}}
    assert head(client(address, config), address) == token_image.digest


@pytest.mark.parametrize("entry", [{"identitytoken": "old"}, {"username": "me", "password": "old"}])
def test_login_that_the_token_server_refuses_is_denied(
    token_registry: Registry, client: MakeClient, entry: dict[str, str]
) -> None:
    address = token_registry.address
    message = denied(client(address, {"auths": {address: entry}}), address)
    assert "check the login" in message


def test_token_is_kept_for_its_repository(
    token_registry: Registry, token_image: Image, token_server: TokenServer, client: MakeClient
) -> None:
    address = token_registry.address
    asking = client(address, auths(address))
    token_server.calls.clear()
    for _ in range(3):
        head(asking, address)
    head(asking, address, "public/shop")
    assert token_server.calls == [
        "repository:acme/shop:pull",
        "repository:public/shop:pull",
    ]


def test_token_is_fetched_again_when_its_time_is_over(
    token_registry: Registry, token_image: Image, token_server: TokenServer, client: MakeClient
) -> None:
    address, now = token_registry.address, [0.0]
    asking = client(address, auths(address), clock=lambda: now[0])
    token_server.calls.clear()
    for now[0] in (0.0, 280.0, 295.0):
        head(asking, address)
    assert len(token_server.calls) == 2


def faked(fake: Fake, challenge: str, *more: bytes) -> Canned:
    denial = reply("401 Unauthorized", WWW_Authenticate=challenge)
    return fake({"HEAD /v2/acme/shop/manifests/1.2.3": [denial, *more]})


def address_of(server: Canned) -> str:
    return f"127.0.0.1:{server.port}"


def test_scope_is_our_own_and_not_the_registrys(fake: Fake, client: MakeClient) -> None:
    tokens = fake({ASKED: GOOD_TOKEN})
    server = faked(fake, CHALLENGE.format(realm=f"{tokens.url}token"), FOUND)
    address = address_of(server)
    assert head(client(address, auths(address)), address) == DIGEST
    assert len(tokens.requests) == 1
    assert b"authorization: bearer abc" in server.requests[1].lower()


@pytest.mark.parametrize(
    "realm",
    [
        "http://tokens.example/token",
        "ftp://127.0.0.1/token",
        "//127.0.0.1/token",
        "token",
        "http://[::1",
        "",
    ],
)
def test_login_is_not_sent_where_tls_is_missing(fake: Fake, client: MakeClient, realm: str) -> None:
    server = faked(fake, CHALLENGE.format(realm=realm))
    address = address_of(server)
    with pytest.raises(DriverError, match="token server that is not at an https:// URL") as caught:
        head(client(address, auths(address)), address)
    assert caught.value.reason == "registry_failed"


def test_login_is_not_sent_to_a_private_address(fake: Fake, client: MakeClient) -> None:
    server = faked(fake, CHALLENGE.format(realm="https://10.0.0.1/token"))
    address = address_of(server)
    with pytest.raises(DriverError, match="not a public address") as caught:
        head(client(address, auths(address)), address)
    assert caught.value.reason == "registry_failed"


@pytest.mark.parametrize("challenge", ["", "Negotiate", "Digest realm=x"])
def test_challenge_that_is_not_known_is_refused(
    fake: Fake, client: MakeClient, challenge: str
) -> None:
    server = faked(fake, challenge)
    with pytest.raises(DriverError, match="neither Basic nor a bearer token") as caught:
        head(client(address_of(server)), address_of(server))
    assert caught.value.reason == "registry_failed"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (reply("503 Service Unavailable"), "registry_unavailable"),
        (reply("429 Too Many Requests", Retry_After="7"), "registry_unavailable"),
        (reply("302 Found", Location="http://127.0.0.1/"), "registry_failed"),
        (reply(body=b""), "registry_failed"),
        (reply(body=b"[]"), "registry_failed"),
        (reply(body=b'{"token": 1}'), "registry_failed"),
        (reply(body=b'{"token": "a\\nb"}'), "registry_failed"),
        (reply(body=b'{"token": ""}'), "registry_failed"),
    ],
)
def test_fault_of_the_token_server_is_told(
    fake: Fake, client: MakeClient, answer: bytes, reason: str
) -> None:
    tokens = fake({ASKED: answer})
    server = faked(fake, CHALLENGE.format(realm=f"{tokens.url}token"), FOUND)
    with pytest.raises(DriverError) as caught:
        head(client(address_of(server)), address_of(server))
    assert caught.value.reason == reason
    assert isinstance(caught.value, Retry) is (reason == "registry_unavailable")


def test_token_that_the_registry_refuses_is_denied(fake: Fake, client: MakeClient) -> None:
    tokens = fake({ASKED: GOOD_TOKEN})
    server = faked(fake, CHALLENGE.format(realm=f"{tokens.url}token"))
    denied(client(address_of(server)), address_of(server))
    assert len(server.requests) == 2
