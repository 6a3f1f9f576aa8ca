"""Links and callers' addresses: behind proxies, under a prefix, and with a Host that lies."""

import asyncio
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import Mount

from tests.host.served import Served, get
from tests.support import PROJECT, add_receiver, make_service, sqlite_url
from webhook_service.errors import InvalidRequest
from webhook_service.host.app import create_app
from webhook_service.host.http.address import Addresses, Proxies

PROXIES = [ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8")]


def _request(
    peer: str | None, *headers: tuple[str, str], root: str = "", scheme: str = "http"
) -> HTTPConnection:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    client = (peer, 1) if peer else None
    return HTTPConnection(
        {
            "type": "http",
            "path": f"{root}/v1-webhooks",
            "root_path": root,
            "query_string": b"",
            "headers": raw,
            "client": client,
            "server": ("192.0.2.1", 8085),
            "scheme": scheme,
        }
    )


def _base(request: HTTPConnection, base_url: str | None = None) -> str:
    return Addresses(base_url, Proxies(PROXIES)).links(request).base


HOST = ("Host", "hooks.example.org:8085")
FORWARDED = (("X-Forwarded-Host", "evil, public.example.org"), ("X-Forwarded-Proto", "https"))


def test_links_go_where_the_caller_called() -> None:
    assert _base(_request("203.0.113.9", HOST)) == "http://hooks.example.org:8085"
    assert _base(_request("203.0.113.9")) == "http://192.0.2.1:8085"
    assert _base(_request(None, ("Host", "[::1]:80"), root="/hooks")) == "http://[::1]:80/hooks"


def test_only_trusted_proxies_say_where_that_was() -> None:
    assert _base(_request("10.1.2.3", HOST, *FORWARDED)) == "https://public.example.org"
    assert _base(_request("::ffff:10.1.2.3", HOST, *FORWARDED)) == "https://public.example.org"
    for peer in ("203.0.113.9", None, "unix", ""):
        assert _base(_request(peer, HOST, *FORWARDED)) == "http://hooks.example.org:8085"


@pytest.mark.parametrize(
    ("host", "scheme", "port", "base"),
    [
        ("hooks.example.org", "https", "8443", "https://hooks.example.org:8443"),
        ("hooks.example.org", "https", "443", "https://hooks.example.org"),
        ("hooks.example.org", "http", "443", "http://hooks.example.org:443"),
        ("hooks.example.org:9443", "https", "8443", "https://hooks.example.org:9443"),
        ("[2001:db8::1]", "https", "8443", "https://[2001:db8::1]:8443"),
    ],
)
def test_the_port_is_the_one_that_the_trusted_proxy_names(
    host: str, scheme: str, port: str, base: str
) -> None:
    said = (("Host", host), ("X-Forwarded-Proto", scheme), ("X-Forwarded-Port", port))
    assert _base(_request("10.1.2.3", *said)) == base
    assert _base(_request("203.0.113.9", *said)) == f"http://{host}"


@pytest.mark.parametrize("port", ["x", "80/evil", "123456", "-1"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(InvalidRequest):
        _base(_request("10.1.2.3", ("Host", "hooks.example.org"), ("X-Forwarded-Port", port)))


def test_a_base_url_wins() -> None:
    request = _request("10.1.2.3", HOST, *FORWARDED)
    assert _base(request, "https://hooks.example.com/x/") == "https://hooks.example.com/x"


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ((), "10.1.2.3"),
        (("203.0.113.9",), "203.0.113.9"),
        (("198.51.100.1, 203.0.113.9",), "203.0.113.9"),
        (("203.0.113.9, 10.9.9.9",), "203.0.113.9"),
        (("203.0.113.9", "10.9.9.9"), "203.0.113.9"),
        (("10.8.8.8, 10.9.9.9",), "10.8.8.8"),
        (("whoever, 10.9.9.9",), "10.9.9.9"),
        (("x\u00e4" * 9,), "10.1.2.3"),
    ],
)
def test_the_client_is_the_last_that_is_no_proxy(forwarded: tuple[str, ...], client: str) -> None:
    headers = [("X-Forwarded-For", value) for value in forwarded]
    assert Proxies(PROXIES).client(_request("10.1.2.3", *headers)) == client
    assert Proxies(PROXIES).client(_request("203.0.113.7", *headers)) == "203.0.113.7"


@pytest.mark.parametrize(
    "host", ["", "a b", "evil/path", "evil?x", "evil#x", "user@evil", "a:b", "x" * 300, "<script>"]
)
def test_a_host_that_is_none_is_refused_and_not_repeated(shared: Served, host: str) -> None:
    _, key = add_receiver(shared.service, name=f"shop {hash(host)}")
    for path in ("/v1-webhooks?projectId=1", f"/v1-webhooks/endpoint?key={key}&projectId=1a5"):
        method = "POST" if "endpoint" in path else "GET"
        with shared.client(None) as client:
            answer = client.request(method, path, headers={"Host": host})
        assert answer.status_code == 400
        if "json" in answer.headers["Content-Type"]:
            assert answer.json()["links"]["self"] == path.partition("?")[0]
    assert shared.service.list_deliveries(PROJECT).items == ()


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[httpx.AsyncClient]:
    service = make_service(sqlite_url(tmp_path))
    app = create_app(service, manage_service=False)
    outer = Starlette(routes=[Mount("/hooks", app)])
    _, secret = service.create_token(PROJECT)
    with service:
        yield httpx.AsyncClient(
            transport=httpx.ASGITransport(outer),
            base_url="http://app",
            headers={"Authorization": f"Bearer {secret}"},
        )


def test_a_mounted_application_links_to_itself(mounted: httpx.AsyncClient) -> None:
    async def scenario() -> None:
        async with mounted:
            version = (await mounted.get("/hooks/v1-webhooks")).json()
            assert version["links"]["self"] == "http://app/hooks/v1-webhooks?projectId=1a5"
            answer = await mounted.get(version["links"]["receivers"])
            assert answer.json()["links"]["self"] == version["links"]["receivers"]
            missing = await mounted.get("/hooks/v1-webhooks/receivers/x")
            assert missing.json()["links"]["self"] == "http://app/hooks/v1-webhooks/receivers/x"
            assert (await mounted.get("/hooks/nope")).text == "404 page not found\n"

    asyncio.run(scenario())


def test_project_ids_are_quoted(served: Served) -> None:
    with served.client(project="a b&c=ü/d") as owner:
        links = get(owner, "")["links"]
        assert links["receivers"].endswith("?projectId=a%20b%26c%3D%C3%BC%2Fd")
        assert owner.get(links["receivers"]).status_code == 200
