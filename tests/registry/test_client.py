"""Registries that fail, lie or hang: each ends as a refusal or as a retry, never as a crash."""

import hashlib
import json
from contextlib import ExitStack
from typing import Any

import pytest

from tests.registry.conftest import Fake, MakeClient, event
from tests.servers.canned import Canned, Script, endless, reply, silent
from tests.servers.process import free_port
from webhook_service.errors import DriverError, Retry
from webhook_service.images import parse_image
from webhook_service.model.rules.registry import RegistryRule
from webhook_service.registry.resolve import Resolver
from webhook_service.registry.storage import keeps_blobs_at

BASE = "/v2/acme/shop"
TAG = f"{BASE}/manifests/1.2.3"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
RESOLVE, PLATFORM = RegistryRule(), RegistryRule(platforms=("linux/amd64",))


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


CONFIG = b'{"os": "linux", "architecture": "amd64"}'
CONTENT = json.dumps({"mediaType": MANIFEST, "config": {"digest": digest_of(CONFIG)}}).encode()
DIGEST, OTHER = digest_of(CONTENT), digest_of(b"other")
FOUND = reply(body=CONTENT, Docker_Content_Digest=DIGEST, Content_Type=f"{MANIFEST}; charset=utf-8")
BLOB = f"GET {BASE}/blobs/{digest_of(CONFIG)}"


def resolve(client: MakeClient, server: Canned, rule: RegistryRule = RESOLVE, **more: Any) -> Any:
    address = f"127.0.0.1:{server.port}"
    options = {key: more.pop(key) for key in ("blob_hosts", "insecure") if key in more}
    return Resolver(client(address, **options)).resolve(event(address, **more), rule)


def failure(client: MakeClient, server: Canned, *args: Any, **more: Any) -> DriverError:
    with pytest.raises(DriverError) as caught:
        resolve(client, server, *args, **more)
    return caught.value


@pytest.mark.parametrize("status", ["500 Oops", "502 Bad Gateway", "503 Service Unavailable"])
def test_fault_of_the_registry_is_retried(fake: Fake, client: MakeClient, status: str) -> None:
    error = failure(client, fake({f"HEAD {TAG}": reply(status)}))
    assert isinstance(error, Retry)
    assert error.reason == "registry_unavailable"


@pytest.mark.parametrize(
    ("header", "after"),
    [({"Retry_After": "30"}, 30), ({"Retry_After": "999999"}, 3600), ({"Retry_After": "x"}, 0)]
    + [({}, 0), ({"Retry_After": "9" * 5000}, 0), ({"Retry_After": "-5"}, 0)],
)
def test_rate_limit_is_retried_when_the_registry_says(
    fake: Fake, client: MakeClient, header: dict[str, Any], after: int
) -> None:
    error = failure(client, fake({f"HEAD {TAG}": reply("429 Too Many Requests", **header)}))
    assert isinstance(error, Retry)
    assert error.after == after


def test_registry_that_hangs_is_retried(client: MakeClient) -> None:
    with Canned(silent) as server:
        address = f"127.0.0.1:{server.port}"
        repository = client(address).repository(parse_image(f"{address}/acme/shop"), seconds=0.3)
        for _ in range(2):
            with pytest.raises(Retry):
                repository.head("1.2.3")
        assert server.hits == 1


def test_registry_that_is_away_is_retried(client: MakeClient) -> None:
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(Retry, match="cannot be reached"):
        Resolver(client(address)).resolve(event(address), RESOLVE)


@pytest.mark.parametrize("status", ["400 Bad Request", "418 Teapot", "302 Found", "204 No Content"])
def test_server_that_is_no_registry_is_refused(fake: Fake, client: MakeClient, status: str) -> None:
    routes = {f"{method} {TAG}": reply(status) for method in ("HEAD", "GET")}
    error = failure(client, fake(routes))
    assert error.reason == "registry_failed"
    assert error.message.endswith("is it an OCI registry?")


@pytest.mark.parametrize("status", ["403 Forbidden", "401 Unauthorized"])
def test_registry_that_forbids_is_a_refusal(fake: Fake, client: MakeClient, status: str) -> None:
    server = fake({f"HEAD {TAG}": reply(status, WWW_Authenticate="Basic")})
    assert failure(client, server).reason == "registry_denied"


@pytest.mark.parametrize("first", [reply(), reply("405 Method Not Allowed")])
def test_registry_without_a_digest_header_is_asked_for_the_content(
    fake: Fake, client: MakeClient, first: bytes
) -> None:
    server = fake({f"HEAD {TAG}": first, f"GET {TAG}": reply(body=CONTENT)})
    assert resolve(client, server).digest == DIGEST


def test_registry_without_head_is_asked_and_has_nothing(fake: Fake, client: MakeClient) -> None:
    server = fake({f"HEAD {TAG}": reply("405 Method Not Allowed")})
    assert failure(client, server).reason == "image_missing"


@pytest.mark.parametrize(
    ("routes", "more"),
    [
        (
            {
                f"HEAD {TAG}": reply(),
                f"GET {TAG}": reply(body=CONTENT, Docker_Content_Digest=OTHER),
            },
            {},
        ),
        ({f"HEAD {BASE}/manifests/{OTHER}": FOUND}, {"digest": OTHER}),
        (
            {
                f"HEAD {TAG}": reply(Docker_Content_Digest=OTHER),
                f"GET {BASE}/manifests/{OTHER}": FOUND,
            },
            {"rule": PLATFORM},
        ),
        (
            {
                f"HEAD {TAG}": FOUND,
                f"GET {BASE}/manifests/{DIGEST}": FOUND,
                BLOB: reply(body=b'{"os": "linux", "architecture": "evil"}'),
            },
            {"rule": PLATFORM},
        ),
    ],
    ids=["manifest by tag", "digest asked for", "manifest by digest", "blob"],
)
def test_content_that_is_not_its_digest_is_refused(
    fake: Fake, client: MakeClient, routes: dict[str, bytes], more: dict[str, Any]
) -> None:
    error = failure(client, fake(routes), **more)
    assert error.reason == "registry_failed"
    assert error.message.endswith("check the registry.")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a": 1, "a": 2}', b"[" * 5000, b"\xff"])
def test_manifest_that_cannot_be_read_is_refused(
    fake: Fake, client: MakeClient, body: bytes
) -> None:
    server = fake({f"HEAD {TAG}": reply(), f"GET {TAG}": reply(body=body)})
    assert failure(client, server).reason == "registry_failed"


def test_huge_blob_is_refused(fake: Fake, client: MakeClient) -> None:
    config = b" " * (1024 * 1024 + 1)
    content = json.dumps({"config": {"digest": digest_of(config)}}).encode()
    routes = {
        f"HEAD {TAG}": reply(Docker_Content_Digest=digest_of(content)),
        f"GET {BASE}/manifests/{digest_of(content)}": reply(body=content),
        f"GET {BASE}/blobs/{digest_of(config)}": reply(body=config),
    }
    assert "larger than" in failure(client, fake(routes), PLATFORM).message


def test_huge_manifest_is_refused(client: MakeClient) -> None:
    head = b"HTTP/1.1 200 OK\r\n\r\n"

    def play(server: Canned, connection: Any) -> None:
        if server.read_head(connection).startswith(b"HEAD"):
            connection.sendall(reply())
        ending: Script = endless(b" " * 65536, head)
        ending(server, connection)

    with Canned(play) as server:
        error = failure(client, server)
    assert error.reason == "registry_failed"
    assert "larger than" in error.message


@pytest.mark.parametrize("insecure", [[], ["other.example"]])
def test_registry_is_called_with_tls_unless_it_is_named(
    client: MakeClient, insecure: list[str]
) -> None:
    heard = []

    def play(server: Canned, connection: Any) -> None:
        heard.append(connection.recv(1))
        connection.sendall(reply("400 Bad Request"))

    with Canned(play) as server:
        error = failure(client, server, insecure=insecure)
    assert isinstance(error, Retry)
    assert heard == [b"\x16"]  # a TLS handshake


def test_private_registry_is_not_called_unless_its_network_is_allowed(client: MakeClient) -> None:
    registry = client("10.0.0.1:5000")
    with pytest.raises(DriverError, match="an operator can allow its network") as caught:
        Resolver(registry).resolve(event("10.0.0.1:5000"), RESOLVE)
    assert caught.value.reason == "registry_failed"


# --- blobs that are kept elsewhere ---------------------------------------------------------


def stored_at(fake: Fake, location: str) -> Canned:
    return fake(
        {
            f"HEAD {TAG}": FOUND,
            f"GET {BASE}/manifests/{DIGEST}": FOUND,
            BLOB: reply("307 Temporary Redirect", Location=location),
            "GET /kept?signed=x": reply(body=CONFIG),
        }
    )


def test_blob_is_followed_to_the_same_server(fake: Fake, client: MakeClient) -> None:
    assert resolve(client, stored_at(fake, "/kept?signed=x"), PLATFORM).digest == DIGEST


def test_blob_is_followed_to_a_host_that_the_operator_names(
    fake: Fake, client: MakeClient, stack: ExitStack
) -> None:
    storage = stored_at(fake, "/")
    server = stored_at(fake, f"http://127.0.0.1:{storage.port}/kept?signed=x")
    assert resolve(client, server, PLATFORM, blob_hosts=["127.0.0.?"]).digest == DIGEST
    assert b"authorization" not in storage.requests[0].lower()


def test_blob_is_not_followed_to_another_host(fake: Fake, client: MakeClient) -> None:
    storage = stored_at(fake, "/")
    server = stored_at(fake, f"http://localhost:{storage.port}/kept?signed=x")
    error = failure(client, server, PLATFORM)
    assert error.reason == "registry_failed"
    assert "at localhost, which is not asked" in error.message
    assert "WEBHOOK_SERVICE_BLOB_HOSTS" in error.message
    assert storage.hits == 0


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/x", "http://[::1", "//", "", BLOB[4:]])
def test_blob_that_leads_nowhere_is_refused(fake: Fake, client: MakeClient, location: str) -> None:
    assert failure(client, stored_at(fake, location), PLATFORM).reason == "registry_failed"


@pytest.mark.parametrize(
    ("registry", "host", "kept"),
    [
        ("docker.io", "production.cloudflare.docker.com", True),
        ("docker.io", "docker-images-prod.6aa30f8b.r2.cloudflarestorage.com", True),
        ("docker.io", "production.cloudflare.docker.com.evil.example", False),
        ("ghcr.io", "pkg-containers.githubusercontent.com", True),
        ("ghcr.io", "raw.githubusercontent.com", False),
        ("quay.io", "cdn03.quay.io", True),
        ("acme.azurecr.io", "weu1.blob.core.windows.net", True),
        ("azurecr.io.evil.example", "weu1.blob.core.windows.net", False),
        (
            "1.dkr.ecr.eu-west-1.amazonaws.com",
            "prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com",
            True,
        ),
        ("registry.example", "production.cloudflare.docker.com", False),
    ],
)
def test_known_registries_keep_their_blobs_at_known_hosts(
    registry: str, host: str, kept: bool
) -> None:
    assert keeps_blobs_at(registry, host) is kept
