"""Real servers on the loopback: what the client calls, what it refuses, and when it stops."""

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from tests.servers.canned import Canned, Script, answering, endless, reply, silent
from tests.servers.certificates import self_signed, server_side, trusting
from webhook_service.errors import OutboundError
from webhook_service.net.dialler import is_public
from webhook_service.net.outbound import Outbound

LOOPBACK = (ip_network("127.0.0.0/8"),)
SECRET = "s3cret-in-a-header"
PUBLIC = "93.184.215.14"
Serve = Callable[..., Canned]
Client = Callable[..., Outbound]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def serve(stack: ExitStack) -> Serve:
    def serve(script: Script, **options: Any) -> Canned:
        return stack.enter_context(Canned(script, **options))

    return serve


@pytest.fixture
def client(stack: ExitStack) -> Client:
    def client(**options: Any) -> Outbound:
        given: dict[str, Any] = {"allow_private": LOOPBACK, "timeout": 5.0} | options
        outbound = Outbound(**given)
        stack.callback(outbound.close)
        return outbound

    return client


@pytest.fixture
def canary(serve: Serve) -> Canned:
    return serve(answering(reply(body=b"inside")))


def resolving(*answers: str) -> Callable[[str, int], Sequence[str]]:
    """A name server that gives its answers in turn, the last one from then on."""
    left = list(answers)
    return lambda host, port: [left.pop(0) if len(left) > 1 else left[0]]


def refused(outbound: Outbound, url: str, **options: Any) -> OutboundError:
    with pytest.raises(OutboundError) as caught:
        outbound.request("GET", url, {"Authorization": SECRET}, **options)
    assert SECRET not in str(caught.value)
    return caught.value


# --- replies -------------------------------------------------------------------------------


def test_reply_has_status_headers_and_body(serve: Serve, client: Client) -> None:
    server = serve(answering(reply("404 Not Found", b"no", X_Two="a") + b""))
    found = client().get(server.url)
    assert (found.status, found.headers["x-two"], found.body) == (404, "a", b"no")


def test_header_given_twice_is_joined(serve: Serve, client: Client) -> None:
    answer = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 0\r\n\r\n"
    assert client().get(serve(answering(answer)).url).headers["x-a"] == "1, 2"


def test_body_and_headers_are_sent(serve: Serve, client: Client) -> None:
    server = serve(answering(reply()))
    client().request("POST", server.url + "hook?a=b", {"X-Push": "yes"}, b"")
    head = server.requests[0].lower()
    assert head.startswith(b"post /hook?a=b http/1.1\r\n")
    assert b"x-push: yes" in head and b"content-length: 0" in head
    assert f"host: 127.0.0.1:{server.port}".encode() in head


def test_headers_that_frame_the_message_are_the_clients_own(serve: Serve, client: Client) -> None:
    server = serve(answering(reply()))
    forged = {"Host": "metadata", "Content-Length": "99", "Transfer-Encoding": "chunked"}
    client().request("POST", server.url, forged, b"12")
    head = server.requests[0].lower()
    assert b"content-length: 2" in head
    assert b"metadata" not in head and b"chunked" not in head


def test_connection_serves_several_calls(serve: Serve, client: Client) -> None:
    server, outbound = serve(answering(reply())), client()
    assert [outbound.get(server.url).status for _ in range(3)] == [200] * 3
    assert server.hits == 1


def test_head_of_a_large_body_is_read(serve: Serve, client: Client) -> None:
    server = serve(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"))
    assert client().request("HEAD", server.url).status == 200


def test_compressed_reply_stays_compressed(serve: Serve, client: Client) -> None:
    server = serve(answering(reply(body=b"\x1f\x8b", Content_Encoding="gzip")))
    assert client().get(server.url).body == b"\x1f\x8b"
    assert b"accept-encoding: identity" in server.requests[0].lower()


def test_cookies_are_not_kept(serve: Serve, client: Client) -> None:
    server, outbound = serve(answering(reply(Set_Cookie="a=b"))), client()
    outbound.get(server.url)
    outbound.get(server.url)
    assert b"cookie" not in server.requests[1].lower()


# --- limits --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        silent,
        endless(b"a", pause=0.05),
        endless(b"X-A: b\r\n", head=b"HTTP/1.1 200 OK\r\n", pause=0.05),
        endless(b"HTTP/1.1 100 Continue\r\n\r\n", head=b"", pause=0.05),
    ],
    ids=["silent", "drips a body", "drips headers", "drips 100s"],
)
def test_slow_reply_ends_with_the_deadline(serve: Serve, client: Client, script: Script) -> None:
    server = serve(script)
    start = time.monotonic()
    error = refused(client(timeout=0.4), server.url)
    assert error.transient and "in time" in error.message
    assert 0.3 < time.monotonic() - start < 4


@pytest.mark.parametrize(
    ("script", "message", "transient"),
    [
        (endless(b"a" * 65536), "larger than 1000 bytes", False),
        (endless(b"X-A: b\r\n" * 999, head=b"HTTP/1.1 200 OK\r\n"), "broke", True),
        (answering(reply(body=b"a" * 1001)), "larger than 1000 bytes", False),
        (answering(b"SSH-2.0-OpenSSH\r\n\r\n"), "broke", True),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na"), "in time", True),
        (lambda server, connection: None, "broke", True),
    ],
    ids=["endless body", "endless headers", "one byte too many", "no HTTP", "cut off", "hangs up"],
)
def test_bad_reply_is_an_error(
    serve: Serve, client: Client, script: Script, message: str, transient: bool
) -> None:
    error = refused(client(max_bytes=1000, timeout=1.0), serve(script).url)
    assert message in error.message
    assert error.transient is transient


def test_reply_of_exactly_the_limit_is_read(serve: Serve, client: Client) -> None:
    server = serve(answering(reply(body=b"a" * 1000)))
    assert len(client(max_bytes=1000).get(server.url).body) == 1000


def test_of_a_larger_reply_the_start_is_kept_where_asked(serve: Serve, client: Client) -> None:
    url = serve(answering(reply("409 Conflict", body=b"a" * 5000))).url
    found = client().request("POST", url, max_bytes=1000, cut=True)
    assert (found.status, found.body) == (409, b"a" * 1000)


def test_reader_that_takes_nothing_ends_with_the_deadline(serve: Serve, client: Client) -> None:
    server = serve(lambda server, connection: server.over.wait() or None)
    with pytest.raises(OutboundError, match="in time"):
        client(timeout=0.4).request("POST", server.url, {}, bytes(32 * 1024 * 1024))


def test_lookup_that_hangs_ends_with_the_deadline(client: Client) -> None:
    def hang(host: str, port: int) -> Sequence[str]:
        time.sleep(5)
        return []

    error = refused(client(timeout=0.2, resolve=hang), "https://shop.example/")
    assert error.transient and "in time" in error.message


def test_port_where_nobody_listens_is_transient(client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert refused(client(), f"http://127.0.0.1:{port}/").transient


@pytest.mark.parametrize(
    ("number", "transient"), [(socket.EAI_NONAME, False), (socket.EAI_AGAIN, True)]
)
def test_name_that_is_not_found(client: Client, number: int, transient: bool) -> None:
    def fail(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(number, "not found")

    error = refused(client(resolve=fail), "https://shop.example/")
    assert error.message == "The name shop.example cannot be looked up."
    assert error.transient is transient


@pytest.mark.parametrize("value", [f"{SECRET}\r\nX-A: b", f"{SECRET}\x00"])
def test_header_that_cannot_be_sent_is_not_quoted(
    canary: Canned, client: Client, value: str
) -> None:
    with pytest.raises(OutboundError, match="header that cannot be sent") as caught:
        client().get(canary.url, {"Authorization": value})
    assert caught.value.__cause__ is None and SECRET not in str(caught.value)
    assert canary.requests == []


# --- redirects -----------------------------------------------------------------------------


@pytest.mark.parametrize("location", ["/there", "http://127.0.0.1:{port}/there"])
def test_redirect_to_the_same_origin_is_followed(
    serve: Serve, client: Client, location: str
) -> None:
    location_of = [location]

    def play(server: Canned, connection: socket.socket) -> None:
        while head := server.read_head(connection):
            to = location_of[0].format(port=server.port)
            moved = reply("307 Temporary Redirect", Location=to)
            connection.sendall(reply(body=b"ok") if b"GET /there" in head else moved)

    assert client().get(serve(play).url).body == b"ok"


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{canary}/",
        "//127.0.0.1:{canary}/",
        "http://localhost:{canary}/",
        "http://x@127.0.0.1:{port}/",
        "https://127.0.0.1:{port}/",
        "file:///etc/passwd",
    ],
)
def test_redirect_elsewhere_is_refused(
    serve: Serve, client: Client, canary: Canned, location: str
) -> None:
    def play(server: Canned, connection: socket.socket) -> None:
        server.read_head(connection)
        to = location.format(port=server.port, canary=canary.port)
        connection.sendall(reply("302 Found", Location=to))

    error = refused(client(), serve(play).url)
    assert "redirects to another server" in error.message
    assert not error.transient
    assert canary.hits == 0


def test_redirect_in_a_circle_ends(serve: Serve, client: Client) -> None:
    server = serve(answering(reply("302 Found", Location="/")))
    assert "more than 3 times" in refused(client(), server.url).message
    assert len(server.requests) == 4


@pytest.mark.parametrize(("method", "redirects"), [("GET", False), ("POST", True)])
def test_redirect_is_a_reply_where_none_is_followed(
    serve: Serve, client: Client, method: str, redirects: bool
) -> None:
    server = serve(answering(reply("302 Found", Location="/there")))
    assert client().request(method, server.url, redirects=redirects).status == 302
    assert len(server.requests) == 1


# --- addresses -----------------------------------------------------------------------------


def tricks(port: int) -> list[str]:
    """Ways to write 127.0.0.1 and its neighbours in a URL."""
    hosts = [
        "127.0.0.1",
        "127.0.0.2",
        "127.1",
        "127.0.1",
        "127.0.0.1.",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "0177.1",
        "0x7f000001",
        "0x7f.0.0.1",
        "0x7f.1",
        "0X7F.0x0.0x0.0x1",
        "127.0.0.0x1",
        "0",
        "0.0.0.0",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "[fe80::1%25lo]",
        "127\u30020\u30020\u30021",
        "\uff11\uff12\uff17.0.0.1",
        "\u2460\u2461\u2466.0.0.1",
        "%31%32%37.0.0.1",
        "loc\u00adalhost",
    ]
    shapes = [
        "{scheme}://{host}:{port}/",
        "{scheme}://shop.example@{host}:{port}/",
        "{scheme}://shop.example:443@{host}:{port}/",
        "{scheme}://{host}:{port}\\@shop.example/",
        "{scheme}://{host}:{port}#@shop.example/",
        "{scheme}://{host}:{port}?@shop.example/",
        "{scheme}:\\\\{host}:{port}/",
        " {scheme}://{host}:{port}/",
    ]
    return [
        shape.format(scheme=scheme, host=host, port=port)
        for shape in shapes
        for host in hosts
        for scheme in ("http", "https")
    ]


def test_no_way_to_write_the_loopback_reaches_it(client: Client, canary: Canned) -> None:
    outbound, urls = client(allow_private=(), timeout=2.0), tricks(canary.port)
    assert len(urls) > 500
    for url in urls:
        with pytest.raises(OutboundError):
            outbound.get(url)
    assert canary.hits == 0


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "0.0.0.0",
        "224.0.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "192.0.2.1",
        "::",
        "::1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2001::1",
        "2001:db8::1",
        "2002:a9fe:a9fe::",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%1",
        "fec0::1",
        "ff0e::1",
    ],
)
def test_address_that_is_not_public_is_refused(client: Client, address: str) -> None:
    assert not is_public(ip_address(address))
    outbound = client(allow_private=(), resolve=resolving(address))
    error = refused(outbound, "https://shop.example/")
    assert error.message.startswith("shop.example is not a public address;")
    assert not error.transient


@pytest.mark.parametrize("address", [PUBLIC, f"::ffff:{PUBLIC}", "2606:4700:4700::1111"])
def test_public_address_is_dialled(address: str) -> None:
    assert is_public(ip_address(address))


def test_allowed_network_is_called_and_no_other(canary: Canned, client: Client) -> None:
    outbound = client(allow_private=(ip_network("127.0.0.1/32"),))
    assert outbound.get(canary.url).body == b"inside"
    assert outbound.get(f"http://[::ffff:127.0.0.1]:{canary.port}/").body == b"inside"
    assert "TLS" in refused(outbound, f"http://127.0.0.2:{canary.port}/").message


def test_public_address_is_not_called_without_tls(client: Client) -> None:
    error = refused(client(resolve=resolving(PUBLIC)), "http://shop.example/")
    assert error.message == "shop.example is not called without TLS; " + (
        "an operator can allow its network."
    )


def test_answer_that_changes_after_the_check_changes_nothing(
    canary: Canned, client: Client
) -> None:
    """The name is looked up once for each connection, and what was judged is what is dialled."""
    resolve = resolving("127.0.0.1", "127.0.0.9", "10.0.0.1")
    outbound = client(allow_private=(ip_network("127.0.0.1/32"),), resolve=resolve)
    assert outbound.get(f"http://shop.example:{canary.port}/").body == b"inside"
    assert f"host: shop.example:{canary.port}".encode() in canary.requests[0].lower()
    outbound.close()
    refused(outbound, f"http://shop.example:{canary.port}/")
    assert canary.hits == 1


def test_public_name_that_turns_private_is_refused(canary: Canned, client: Client) -> None:
    answers = resolving("10.9.9.9", "127.0.0.1")
    outbound = client(allow_private=(ip_network("10.9.9.9/32"),), timeout=0.2, resolve=answers)
    url = f"https://shop.example:{canary.port}/"
    assert refused(outbound, url).transient
    assert "not a public address" in refused(outbound, url).message
    assert canary.hits == 0


def test_private_addresses_beside_an_allowed_one_are_left_out(
    canary: Canned, client: Client
) -> None:
    outbound = client(resolve=lambda host, port: ["10.0.0.1", "::1", "127.0.0.1"])
    assert outbound.get(f"http://shop.example:{canary.port}/").body == b"inside"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://shop.example/",
        "file:///etc/passwd",
        "shop.example",
        "https://",
        "https://shop.example:0/",
        "https://shop.example:65536/",
        "https://a..b/",
        f"https://{'a' * 64}.example/",
        "https://shop.example/\r\nX-A: b",
        "https://\ud800/",
        "",
    ],
)
def test_url_that_cannot_be_called_is_refused(client: Client, url: str) -> None:
    assert not refused(client(), url).transient


# --- TLS and proxies -----------------------------------------------------------------------


def test_certificate_is_checked_for_the_name_although_an_address_is_dialled(
    serve: Serve, client: Client, tmp_path: Path
) -> None:
    key, certificate = self_signed(tmp_path, "shop.example")
    server = serve(answering(reply(body=b"ok")), tls=server_side(key, certificate))
    outbound = client(tls=trusting(certificate), resolve=resolving("127.0.0.1"))
    assert outbound.get(f"https://shop.example:{server.port}/").body == b"ok"
    error = refused(outbound, f"https://other.example:{server.port}/")
    assert error.message == "other.example has a certificate that is not trusted."
    assert not error.transient


def test_certificate_of_an_unknown_authority_is_refused(
    serve: Serve, client: Client, tmp_path: Path
) -> None:
    server = serve(answering(reply()), tls=server_side(*self_signed(tmp_path, "127.0.0.1")))
    assert "not trusted" in refused(client(), server.url).message
    assert server.requests == []


def test_handshake_that_hangs_ends_with_the_deadline(serve: Serve, client: Client) -> None:
    url = serve(silent).url.replace("http", "https")
    assert refused(client(timeout=0.3), url).transient


def test_server_without_tls_is_told_from_one_that_is_away(serve: Serve, client: Client) -> None:
    def play(server: Canned, connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(reply("400 Bad Request"))

    url = serve(play).url.replace("http", "https")
    assert refused(client(), url).message == "127.0.0.1 does not speak TLS as it should."


def test_proxy_of_the_environment_is_not_used(
    serve: Serve, client: Client, canary: Canned, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, canary.url)
    assert client().get(serve(answering(reply(body=b"direct"))).url).body == b"direct"
    refused(client(resolve=resolving("10.0.0.1"), timeout=0.2), "https://shop.example/")
    assert canary.hits == 0


def test_proxy_of_the_environment_is_used_where_asked(
    serve: Serve, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(answering(reply("403 Forbidden")))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("://", "://me:hush@"))
    monkeypatch.setenv("NO_PROXY", "direct.example")
    outbound = client(allow_private=(), environment_proxies=True)
    error = refused(outbound, "https://shop.example/")
    assert proxy.requests[0].startswith(b"CONNECT shop.example:443 HTTP/1.1\r\n")
    assert b"Basic bWU6aHVzaA==" in proxy.requests[0]
    assert "hush" not in error.message
    refused(outbound, "https://direct.example/")
    assert proxy.hits == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "127.1.", "[::1]"])
def test_proxy_is_not_asked_for_an_address_that_is_not_public(
    client: Client, canary: Canned, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", canary.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    refused(client(allow_private=(), environment_proxies=True), f"https://{host}/")
    assert canary.hits == 0
