"""Through real proxies a request has one reading, and each caller gets its own answer."""

from collections.abc import Iterator
from ipaddress import ip_network

import httpx
import pytest

from tests.host.limits.corpus import (
    ACCEPTED,
    BODY,
    CHUNKED,
    H2C,
    LENGTH,
    LINES,
    REFUSED,
    TARGET,
    WEBSOCKET,
    request,
    statuses,
)
from tests.host.served import Served, serving
from tests.servers.reverse_proxies import Envoy, HAProxy, Nginx, ReverseProxy, StreamingNginx
from tests.support import PROJECT, add_receiver, make_service, sqlite_url
from webhook_service.model.delivery import DeliveryState
from webhook_service.model.pages import PageRequest

# It takes equal lengths for one, and what is behind the head of a CONNECT for another request.
TWO_FOR_HAPROXY = {"list of lengths", "connect with a body", "connect in chunks"}
UPGRADES = {"h2c": H2C, "websocket": WEBSOCKET}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A host that believes what the proxies say of their callers."""
    service = make_service(sqlite_url(tmp_path_factory.mktemp("host")))
    with serving(service, trusted_proxies=[ip_network("127.0.0.0/8")]) as running:
        yield running


@pytest.fixture(scope="module", params=[Nginx, StreamingNginx, HAProxy, Envoy])
def proxy(request: pytest.FixtureRequest, host: Served) -> Iterator[ReverseProxy]:
    with request.param(host.port) as running:
        yield running


@pytest.fixture
def target(host: Served) -> Iterator[bytes]:
    """The target of a new receiver's URL."""
    id_, key = add_receiver(host.service)
    yield TARGET % key.encode()
    host.service.delete_receiver(PROJECT, id_)


def _deliveries(host: Served) -> int:
    """How many calls were taken; those that were refused are kept, too."""
    found = host.service.list_deliveries(PROJECT, PageRequest(1000)).items
    return sum(each.state is not DeliveryState.REFUSED for each in found)


def _neighbours_are_served(proxy: ReverseProxy) -> bool:
    """Whether some calls of others, on the connections that the proxy keeps, get their answers."""
    with httpx.Client(base_url=f"http://127.0.0.1:{proxy.port}", verify=False) as client:
        answers = [client.get(path) for path in ("/healthz", "/nothing") * 3]
    return [answer.text for answer in answers] == ["ok\n", "404 page not found\n"] * 3


@pytest.mark.parametrize("name", UPGRADES)
def test_a_request_with_upgrade_keeps_its_body(
    host: Served, proxy: ReverseProxy, target: bytes, name: str
) -> None:
    before = _deliveries(host)
    call = request(target, (b"HTTP/1.1", [b"Host: h", *UPGRADES[name], LENGTH], BODY))
    head = call.removesuffix(BODY)
    assert statuses(proxy.port, call) == ["200"]
    assert statuses(proxy.port, head, BODY) == ["200"]
    assert statuses(proxy.port, head, BODY[:9], BODY[9:]) == ["200"]
    assert _deliveries(host) == before + 3
    assert _neighbours_are_served(proxy)


@pytest.mark.parametrize("padding", [b"", b"\r\n" * 100, b"\r\n" * 9_000])
@pytest.mark.parametrize("name", ["plain", *UPGRADES])
def test_a_request_hidden_in_a_body_is_never_taken(
    host: Served, proxy: ReverseProxy, target: bytes, name: str, padding: bytes
) -> None:
    before = _deliveries(host)
    forged = [b"Host: h", b"X-Forwarded-For: 10.1.1.1", b"ssl-client-verify: SUCCESS", LENGTH]
    inner = padding + request(target, (b"HTTP/1.1", forged, BODY))
    headers = [b"Host: h", *UPGRADES.get(name, [])]
    length = b"Content-Length: %d" % len(inner)
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(inner), inner)
    for outer in (
        request(b"/healthz", (b"HTTP/1.1", [*headers, length], inner)),
        request(b"/healthz", (b"HTTP/1.1", [*headers, CHUNKED], chunks)),
    ):
        head, _, body = outer.partition(b"\r\n\r\n")
        assert statuses(proxy.port, outer) == ["404"]
        assert statuses(proxy.port, head + b"\r\n\r\n", body) == ["404"]
        assert _neighbours_are_served(proxy)
    assert _deliveries(host) == before


def test_a_trailer_forges_no_header(host: Served, proxy: ReverseProxy, target: bytes) -> None:
    body = b"%x\r\n%s\r\n0\r\nX-Forwarded-For: 10.1.1.1\r\n\r\n" % (len(BODY), BODY)
    call = request(target, (b"HTTP/1.1", [b"Host: h", CHUNKED], body))
    assert statuses(proxy.port, call) == ["200"]
    assert host.service.list_deliveries(PROJECT, PageRequest(1)).items[0].client == "127.0.0.1"


def test_the_corpus_has_one_answer_each_and_harms_no_neighbour(
    host: Served, proxy: ReverseProxy, target: bytes
) -> None:
    corpus = {name: request(target, parts) for name, parts in (ACCEPTED | REFUSED).items()}
    corpus |= {name: sent for name, (sent, _) in LINES.items()}
    odd = []
    for name, sent in corpus.items():
        before, answered = _deliveries(host), statuses(proxy.port, sent)
        taken = _deliveries(host) - before
        answers = 2 if isinstance(proxy, HAProxy) and name in TWO_FOR_HAPROXY else 1
        if (
            len(answered) > answers
            or taken > 1
            or taken
            and answered != ["200"]
            or "502" in answered
        ):
            odd.append((name, answered, taken))
        if not _neighbours_are_served(proxy):
            odd.append((name, ["a neighbour's answer"], taken))
    assert odd == []
