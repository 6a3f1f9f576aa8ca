"""HTTPS without a proxy: who is served, with which certificate, and what is bounded."""

import os
import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import load_pem_x509_certificate

from tests.host.served import serving
from tests.servers.certificates import self_signed, trusting
from tests.support import PROJECT, add_receiver, make_service, sqlite_url, wait_for
from webhook_service.errors import SettingsError
from webhook_service.host.limits import tls
from webhook_service.host.limits.connections import Connections
from webhook_service.host.limits.protocol import bounded
from webhook_service.host.limits.tls import TlsFiles
from webhook_service.schemes.mtls import Mtls
from webhook_service.service import WebhookService
from webhook_service.settings import load_settings
from webhook_service.testing.samples import dockerhub_push

NAME = "CN=webhook-service tests"


@pytest.fixture
def server(tmp_path: Path) -> tuple[Path, Path]:
    """Key and certificate of the host."""
    return made(tmp_path / "server", "127.0.0.1", "hooks.test")


@pytest.fixture
def client(tmp_path: Path) -> tuple[Path, Path]:
    """Key and certificate of a caller; it is its own authority."""
    return made(tmp_path / "client", "client")


@pytest.fixture
def service(tmp_path: Path) -> WebhookService:
    service = make_service(sqlite_url(tmp_path))
    service.schemes.add("mtls", Mtls)
    return service


def made(folder: Path, *names: str) -> tuple[Path, Path]:
    folder.mkdir()
    return self_signed(folder, *names)


@contextmanager
def served(
    service: WebhookService, files: TlsFiles, max_connections: int = 100
) -> Iterator[tuple[str, int]]:
    """The URL and the port of a host behind TLS."""
    behind = bounded(admitted=Connections(max_connections, 0))
    with serving(service, protocol=behind, files=files) as running:
        yield running.base, running.port


def caller(server: tuple[Path, Path], client: tuple[Path, Path] | None = None) -> httpx.Client:
    context = trusting(server[1])
    if client:
        context.load_cert_chain(client[1], client[0])
    return httpx.Client(verify=context, timeout=10)


def shown(port: int) -> bytes:
    """The certificate that a host shows, to callers who name it and to those who do not."""
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=10).encode()


def test_calls_are_taken_over_https_and_links_say_so(
    service: WebhookService, server: tuple[Path, Path]
) -> None:
    id_, key = add_receiver(service)
    with served(service, TlsFiles(server[1], server[0])) as (base, _), caller(server) as http:
        assert base.startswith("https://127.0.0.1:")
        query = {"key": key, "projectId": PROJECT}
        push = dockerhub_push("acme/shop", "1.2.3")
        for _ in range(20):
            answer = http.post(f"{base}/v1-webhooks/endpoint", params=query, content=push)
            assert answer.status_code == 200, answer.text
        assert http.get(f"{base}/v1-webhooks").json()["links"]["self"].startswith(base)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_tls_before_1_2_is_refused(service: WebhookService, server: tuple[Path, Path]) -> None:
    with served(service, TlsFiles(server[1], server[0])) as (_, port):
        for version, passes in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)):
            context = trusting(server[1])
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
            assert _shakes_hands(context, port) == passes


def _shakes_hands(context: ssl.SSLContext, port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        try:
            context.wrap_socket(plain, server_hostname="127.0.0.1").close()
        except (ssl.SSLError, ConnectionError):
            return False
    return True


def test_a_request_that_comes_with_the_end_of_the_handshake_is_read(
    service: WebhookService, server: tuple[Path, Path]
) -> None:
    """As callers that speak TLS 1.3 may send it."""
    request = b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    with served(service, TlsFiles(server[1], server[0])) as (_, port):
        for _ in range(10):
            assert _in_one_segment(trusting(server[1]), port, request).endswith(b"ok\n")


def _in_one_segment(context: ssl.SSLContext, port: int, request: bytes) -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                plain.sendall(outgoing.read())
                incoming.write(plain.recv(65536))
        session.write(request)
        plain.sendall(outgoing.read())
        answer = b""
        while not answer.endswith(b"ok\n"):
            try:
                answer += session.read(65536)
            except ssl.SSLWantReadError:
                incoming.write(plain.recv(65536))
        return answer


def test_a_new_certificate_is_served_without_a_restart_and_a_broken_one_never(
    service: WebhookService,
    server: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tls, "LOOK_SECONDS", 0.0)
    first = server[1].read_bytes()
    key, certificate = made(tmp_path / "next", "127.0.0.1")
    with served(service, TlsFiles(server[1], server[0])) as (_, port):
        assert shown(port) == first
        shutil.copy(certificate, server[1])  # the key does not fit yet
        assert shown(port) == first
        shutil.copy(key, server[0])
        assert shown(port) == certificate.read_bytes()
        server[1].unlink()
        assert shown(port) == certificate.read_bytes()
        server[1].write_text("no certificate")
        assert shown(port) == certificate.read_bytes()


def test_a_swapped_link_as_of_a_mounted_secret_is_noticed(
    server: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "LOOK_SECONDS", 0.0)
    made(tmp_path / "next", "127.0.0.1")
    (tmp_path / "data").symlink_to("server")
    files = TlsFiles(tmp_path / "data/certificate.pem", tmp_path / "data/key.pem")
    before = files.context()
    assert files.context() is before
    (tmp_path / "new").symlink_to("next")
    os.replace(tmp_path / "new", tmp_path / "data")
    assert files.context() is not before


@pytest.mark.parametrize("by", ["subject", "fingerprint"])
def test_a_client_certificate_proves_the_call(
    service: WebhookService, server: tuple[Path, Path], client: tuple[Path, Path], by: str
) -> None:
    certificate = load_pem_x509_certificate(client[1].read_bytes())
    known = NAME if by == "subject" else certificate.fingerprint(hashes.SHA256()).hex()
    _, key = add_receiver(service, verify={"scheme": "mtls", "clients": [known]})
    query = {"key": key, "projectId": PROJECT}
    forged = {"ssl-client-subject-dn": known, "ssl-client-verify": "SUCCESS"}
    push = dockerhub_push("acme/shop", "1.2.3")
    with served(service, TlsFiles(server[1], server[0], client[1])) as (base, _):
        for credentials, headers, status in (
            (client, {}, 200),
            (client, {"ssl-client-verify": "NONE"}, 200),
            (None, {}, 401),
            (None, forged, 401),
        ):
            with caller(server, credentials) as http:
                url = f"{base}/v1-webhooks/endpoint"
                answer = http.post(url, params=query, content=push, headers=headers)
            assert answer.status_code == status, answer.text


def test_another_client_of_the_same_authority_is_refused(
    service: WebhookService, server: tuple[Path, Path], client: tuple[Path, Path]
) -> None:
    _, key = add_receiver(service, verify={"scheme": "mtls", "clients": ["CN=somebody else"]})
    with (
        served(service, TlsFiles(server[1], server[0], client[1])) as (base, _),
        caller(server, client) as http,
    ):
        query = {"key": key, "projectId": PROJECT}
        push = dockerhub_push("acme/shop", "1.2.3")
        answer = http.post(f"{base}/v1-webhooks/endpoint", params=query, content=push)
    assert answer.status_code == 401


def test_a_certificate_of_a_strange_authority_ends_the_handshake(
    service: WebhookService,
    server: tuple[Path, Path],
    client: tuple[Path, Path],
    tmp_path: Path,
) -> None:
    stranger = made(tmp_path / "stranger", "client")
    with (
        served(service, TlsFiles(server[1], server[0], client[1])) as (base, _),
        caller(server, stranger) as http,
        pytest.raises(httpx.TransportError),
    ):
        http.get(f"{base}/healthz")


def test_who_never_shakes_hands_counts_and_is_closed(
    service: WebhookService, server: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "HANDSHAKE_SECONDS", 1.0)
    files = TlsFiles(server[1], server[0])
    with served(service, files, max_connections=1) as (base, port), caller(server) as http:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as silent:
            time.sleep(0.1)
            with pytest.raises(httpx.TransportError):
                http.get(f"{base}/healthz")
            assert silent.recv(1) == b""
        assert wait_for(lambda: http.get(f"{base}/healthz").status_code == 200)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as refused:
            assert _ended(refused)


def test_plain_http_is_closed_and_takes_no_place(
    service: WebhookService, server: tuple[Path, Path]
) -> None:
    files = TlsFiles(server[1], server[0])
    with served(service, files, max_connections=1) as (base, port), caller(server) as http:
        for _ in range(3):
            with pytest.raises(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{port}/healthz")
        assert wait_for(lambda: http.get(f"{base}/healthz").status_code == 200)


def _ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("missing", "No such file or directory"),
        ("no PEM", "no PEM that can be read"),
        ("another key", "the key is not the certificate's"),
        ("encrypted", "is encrypted with a password"),
        ("client_ca", "WEBHOOK_SERVICE_TLS_CLIENT_CA: .* no PEM that can be read"),
    ],
)
def test_files_that_cannot_be_used_are_said_at_the_start(
    server: tuple[Path, Path], tmp_path: Path, broken: str, told: str
) -> None:
    key, certificate = server
    authority = None
    if broken == "missing":
        key.unlink()
    elif broken == "no PEM":
        certificate.write_text("no PEM")
    elif broken == "another key":
        key = made(tmp_path / "other", "127.0.0.1")[0]
    elif broken == "encrypted":
        _encrypt(key)
    else:
        authority = tmp_path / "ca"
        authority.write_text("no PEM")
    with pytest.raises(SettingsError, match=told):
        TlsFiles(certificate, key, authority)


def _encrypt(key: Path) -> None:
    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key.write_bytes(loaded.private_bytes(*form, serialization.BestAvailableEncryption(b"hunter2")))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"tls_cert": "c"}, "set both, or neither"),
        ({"tls_key": "k"}, "set both, or neither"),
        ({"tls_client_ca": "a"}, "needs tls_cert and tls_key"),
    ],
)
def test_half_of_the_settings_is_refused(said: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        load_settings(**said)
