"""The proxies' configurations in examples/deploy are started, and do what the guide says."""

import re
import subprocess
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest

from tests.host.served import Served, serving
from tests.servers.certificates import self_signed, trusting
from tests.servers.process import Process, accepts, free_port
from tests.servers.requirements import require_program
from tests.servers.reverse_proxies import Envoy
from tests.support import PROJECT, add_receiver, make_service, sqlite_url
from webhook_service.model.pages import PageRequest
from webhook_service.schemes.mtls import Mtls
from webhook_service.testing.samples import dockerhub_push

EXAMPLES = Path(__file__).parents[2] / "examples/deploy"
CLIENT = "CN=webhook-service tests"
MAIN = """daemon off; master_process off; pid nginx.pid; error_log stderr; events {}
http {
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u;
  scgi_temp_path s;
  include FOLDER/site.conf;
}
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Served]:
    service = make_service(sqlite_url(tmp_path))
    service.schemes.add("mtls", Mtls)
    with serving(service, trusted_proxies=[ip_network("127.0.0.1/32")]) as running:
        yield running


@pytest.fixture
def client(tmp_path: Path) -> tuple[Path, Path]:
    """Key and certificate of a sender; the proxies take it for its own authority."""
    (tmp_path / "client").mkdir()
    return self_signed(tmp_path / "client", "sender")


@pytest.fixture(params=["nginx", "haproxy", "envoy"])
def proxy(
    request: pytest.FixtureRequest, tmp_path: Path, host: Served, client: tuple[Path, Path]
) -> Iterator[httpx.Client]:
    """A sender with its certificate, in front of the proxy."""
    key, certificate = self_signed(tmp_path, "127.0.0.1")
    port, clients = free_port(), client[1]
    command = COMMANDS[request.param](tmp_path, port, host.port, key, certificate, clients)
    process = Process(command, tmp_path, name=request.param)
    process.start(lambda: accepts(port))
    context = trusting(certificate)
    context.load_cert_chain(client[1], client[0])
    with httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=context) as http:
        yield http
    process.stop()


def _nginx(
    folder: Path, port: int, to: int, key: Path, certificate: Path, clients: Path
) -> list[str | Path]:
    program = require_program("nginx", "apt-get install nginx-light")
    site = _changed(
        "nginx.conf",
        ("listen 443", f"listen 127.0.0.1:{port}"),
        ("127.0.0.1:8085", f"127.0.0.1:{to}"),
        ("/etc/ssl/webhook-service/tls.crt", str(certificate)),
        ("/etc/ssl/webhook-service/tls.key", str(key)),
        ("# ssl_client_certificate", "ssl_client_certificate"),
        ("/etc/ssl/webhook-service/clients.crt", str(clients)),
        ("# ssl_verify_client", "ssl_verify_client"),
    )
    (folder / "site.conf").write_text(site)
    (folder / "nginx.conf").write_text(MAIN.replace("FOLDER", str(folder)))
    return [program, "-p", folder, "-e", "stderr", "-c", folder / "nginx.conf"]


def _haproxy(
    folder: Path, port: int, to: int, key: Path, certificate: Path, clients: Path
) -> list[str | Path]:
    program = require_program("haproxy", "apt-get install haproxy")
    (folder / "tls.pem").write_text(certificate.read_text() + key.read_text())
    config = _changed(
        "haproxy.cfg",
        ("bind :443 ", f"bind 127.0.0.1:{port} "),
        ("/etc/ssl/webhook-service/tls.pem", str(folder / "tls.pem")),
        ("ssl-min-ver TLSv1.2", f"ssl-min-ver TLSv1.2 ca-file {clients} verify optional"),
        ("10.0.0.11:8085", f"127.0.0.1:{to}"),
        ("10.0.0.12:8085", f"127.0.0.1:{free_port()}"),
    )
    (folder / "haproxy.cfg").write_text(config)
    return [program, "-db", "-f", folder / "haproxy.cfg"]


def _envoy(
    folder: Path, port: int, to: int, key: Path, certificate: Path, clients: Path
) -> list[str | Path]:
    config = _changed(
        "envoy.yaml",
        ("address: 0.0.0.0, port_value: 443", f"address: 127.0.0.1, port_value: {port}"),
        ("port_value: 8085", f"port_value: {to}"),
        ("/etc/ssl/webhook-service/tls.crt", str(certificate)),
        ("/etc/ssl/webhook-service/tls.key", str(key)),
        ("# validation_context", "validation_context"),
        ("/etc/ssl/webhook-service/clients.crt", str(clients)),
    )
    (folder / "envoy.yaml").write_text(config)
    return [Envoy.found(), *Envoy.arguments, folder / "envoy.yaml"]


COMMANDS = {"nginx": _nginx, "haproxy": _haproxy, "envoy": _envoy}


def _changed(name: str, *changes: tuple[str, str]) -> str:
    text = (EXAMPLES / name).read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def test_the_example_passes_on_who_called_how_and_with_which_certificate(
    proxy: httpx.Client, host: Served
) -> None:
    _, key = add_receiver(host.service, verify={"scheme": "mtls", "clients": [CLIENT]})
    forged = {
        "X-Forwarded-For": "10.9.9.9",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "evil.test",
        "X-Forwarded-Port": "81",
    }
    answer = proxy.post(
        "/v1-webhooks/endpoint",
        params={"key": key, "projectId": PROJECT},
        content=dockerhub_push("acme/shop", "1.2.3"),
        headers=forged,
    )
    assert answer.status_code == 200, answer.text
    assert host.service.list_deliveries(PROJECT, PageRequest(1)).items[0].client == "127.0.0.1"
    asked = forged | {"Host": "hooks.example.com"}
    link = proxy.get("/v1-webhooks", headers=asked).json()["links"]["self"]
    assert link.startswith("https://hooks.example.com/")


def test_the_example_lets_nobody_forge_a_certificate_or_a_role(
    proxy: httpx.Client, host: Served, tmp_path: Path
) -> None:
    context = trusting(tmp_path / "certificate.pem")
    with httpx.Client(base_url=proxy.base_url, verify=context) as stranger:
        for caller, name in (stranger, CLIENT), (proxy, "CN=another"):
            verify = {"scheme": "mtls", "clients": [name]}
            _, key = add_receiver(host.service, name=name[-6:], verify=verify)
            answer = caller.post(
                "/v1-webhooks/endpoint",
                params={"key": key, "projectId": PROJECT},
                content=dockerhub_push("acme/shop", "1.2.3"),
                headers={"ssl-client-verify": "SUCCESS", "ssl-client-subject-dn": name},
            )
            assert answer.status_code == 401


def test_each_example_sets_or_removes_every_header_that_callers_could_forge() -> None:
    nginx, haproxy, envoy = (
        {name.lower() for name in re.findall(pattern, (EXAMPLES / file).read_text(), re.MULTILINE)}
        for file, pattern in (
            ("nginx.conf", r"proxy_set_header (\S+)"),
            ("haproxy.cfg", r"(?:set|del)-header (\S+)"),
            ("envoy.yaml", r"^            - (\S+)$"),
        )
    )
    assert nginx - {"connection", "host"} == haproxy == envoy | {"x-forwarded-proto"}
    assert len(haproxy) == 7


def test_systemd_takes_the_unit_and_finds_it_confined(tmp_path: Path) -> None:
    program = require_program("systemd-analyze", "apt-get install systemd")
    unit = tmp_path / "webhook-service.service"
    text = (EXAMPLES / unit.name).read_text()
    unit.write_text(text.replace("/opt/webhook-service/bin/webhook-service serve", "/bin/true"))
    done = subprocess.run([program, "verify", "--man=no", unit], capture_output=True, text=True)
    assert (done.returncode, [line for line in done.stderr.splitlines() if unit.name in line]) == (
        0,
        [],
    )
    rated = subprocess.run(
        [program, "security", "--offline=true", "--threshold=25", unit],
        capture_output=True,
        text=True,
    )
    assert rated.returncode == 0, rated.stdout[-500:]
