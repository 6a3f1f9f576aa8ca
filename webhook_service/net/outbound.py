"""The one HTTP client for calls to other servers: registries, key sets, forwarded pushes.

Receivers name the servers that are called, so this client is the border: it dials only
addresses that it has looked at itself, and a reply can neither be endless nor lead elsewhere.
"""

from __future__ import annotations

import json as json_text
import socket
import ssl
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_network
from typing import Any, Self
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from webhook_service.errors import OutboundError
from webhook_service.net.dialler import (
    Dialler,
    Network,
    OutboundCall,
    Resolve,
    current_call,
    system_resolver,
)
from webhook_service.net.reply import OutboundReply
from webhook_service.telemetry.tracing import span

__all__ = ["Network", "Outbound", "OutboundReply", "Resolve", "system_resolver"]

TIMEOUT, CONNECT_TIMEOUT = 10.0, 5.0
MAX_BYTES = 4 * 1024 * 1024
MAX_REDIRECTS = 3
FRAMING = frozenset({"host", "connection", "content-length", "transfer-encoding", "upgrade"})
MAX_CONNECTIONS, MAX_IDLE, IDLE_SECONDS = 64, 16, 30.0


class Outbound:
    """Calls other servers; one instance is shared by all threads.

    It dials public addresses only, and only over TLS; ``allow_private`` lifts both for networks
    of one's own. It follows redirects on GET and HEAD only, and only to the same origin.

    Args:
        timeout: seconds for a whole call, from the name's lookup to the reply's last byte.
        connect_timeout: seconds for connecting to one address.
        max_bytes: the size of the largest reply, in bytes.
        allow_private: networks that may be dialled although they are not public, and
            without TLS.
        environment_proxies: whether HTTPS_PROXY and NO_PROXY count. A proxy looks names up
            itself, so what it may reach is its own rule then.
        resolve: how names become addresses.
        tls: whom to trust; default: SSL_CERT_FILE, SSL_CERT_DIR, else Mozilla's list.
    """

    def __init__(
        self,
        *,
        timeout: float = TIMEOUT,
        connect_timeout: float = CONNECT_TIMEOUT,
        max_bytes: int = MAX_BYTES,
        allow_private: Collection[Network] = (),
        environment_proxies: bool = False,
        resolve: Resolve = system_resolver,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._proxies = getproxies() if environment_proxies else {}
        self._dialler = Dialler(tuple(allow_private), resolve, connect_timeout)
        limits: dict[str, Any] = {
            "max_connections": MAX_CONNECTIONS,
            "max_keepalive_connections": MAX_IDLE,
            "keepalive_expiry": IDLE_SECONDS,
        }
        tls = tls or httpx.create_ssl_context()
        self._pool = httpcore.ConnectionPool(tls, network_backend=self._dialler, **limits)
        self._proxy_pool: httpcore.ConnectionPool | None = None
        if proxy := self._proxies.get("https"):
            through = _proxy(proxy)
            self._proxy_pool = httpcore.ConnectionPool(
                tls, through, network_backend=self._dialler, **limits
            )

    @classmethod
    def for_driver(cls, options: Mapping[str, Any], *, timeout: float = TIMEOUT) -> Self:
        """A client that may call what the operator allows in ``WEBHOOK_SERVICE_ALLOW_PRIVATE``.

        Args:
            options: those that the driver was made with.
        """
        networks = [ip_network(each) for each in options.get("allow_private", ())]
        return cls(timeout=timeout, allow_private=networks)

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()
        if self._proxy_pool is not None:
            self._proxy_pool.close()

    def get(
        self, url: str, headers: Mapping[str, str] | None = None, *, redirects: bool = True
    ) -> OutboundReply:
        """Fetch a URL; see ``request``."""
        return self.request("GET", url, headers, redirects=redirects)

    def post(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        json: object = None,
    ) -> OutboundReply:
        """Send something to a URL; see ``request``."""
        return self.request("POST", url, headers, body, json=json)

    def put(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        json: object = None,
    ) -> OutboundReply:
        """Replace what a URL names; see ``request``."""
        return self.request("PUT", url, headers, body, json=json)

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        json: object = None,
        redirects: bool = True,
        timeout: float | None = None,
        max_bytes: int | None = None,
        cut: bool = False,
    ) -> OutboundReply:
        """Make one call and read the whole reply, whatever its status.

        Args:
            headers: sent as they are, save those that frame a message or name its host.
            json: sent as the body, with the content type of JSON; None sends ``body``.
            redirects: follow those to the same origin and fail on others; if false, or for
                methods other than GET and HEAD, a redirect is a reply like any other.
            timeout, max_bytes: instead of the client's.
            cut: keep the first ``max_bytes`` of a larger reply, and leave the rest.

        Raises:
            OutboundError: no reply, too large a one, or an address that may not be called.
        """
        deadline = time.monotonic() + (self._timeout if timeout is None else timeout)
        limit = self._max_bytes if max_bytes is None else max_bytes
        target = _parse(url)
        if json is not None:
            body = json_text.dumps(json).encode()
            headers = {"content-type": "application/json", **(headers or {})}
        for _ in range(MAX_REDIRECTS + 1):
            asked = {"http.request.method": method, "server.address": target.host}
            with span(method, "client", asked) as traced:
                reply = self._send(method, target, headers or {}, body, deadline, limit, cut)
                traced.set({"http.response.status_code": reply.status})
            if not (redirects and method in ("GET", "HEAD") and _redirects(reply)):
                return reply
            target = _follow(target, reply.headers["location"])
        raise OutboundError(f"{target.host} redirects more than {MAX_REDIRECTS} times.")

    def _send(
        self,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        body: bytes,
        deadline: float,
        limit: int,
        cut: bool,
    ) -> OutboundReply:
        pool = self._pool_for(url)
        call = OutboundCall(deadline, url.scheme == "https", pool is not self._pool)
        token = current_call.set(call)
        try:
            with _told(url.host):
                target = httpcore.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                )
                sent = _headers(url, headers)
                content = body if body or method not in ("GET", "HEAD") else None
                extensions = {"timeout": {"pool": call.left()}}
                with pool.stream(
                    method, target, headers=sent, content=content, extensions=extensions
                ) as response:
                    return _read(response, limit, url.host, cut)
        finally:
            current_call.reset(token)

    def _pool_for(self, url: httpx.URL) -> httpcore.ConnectionPool:
        if self._proxy_pool is None or url.scheme != "https" or proxy_bypass(url.host):
            return self._pool
        self._dialler.check_literal(url.host)
        return self._proxy_pool


def _parse(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise OutboundError("The URL to call cannot be read.") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise OutboundError("Only http:// and https:// URLs can be called.")
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise OutboundError(f"The URL at {parsed.host} names no port that exists.")
    if parsed.userinfo:
        raise OutboundError(f"The URL at {parsed.host} holds credentials; put them elsewhere.")
    return parsed


def _headers(url: httpx.URL, headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    given = {name.lower(): value for name, value in headers.items()}
    # Nothing is decompressed: a small reply cannot become a large one.
    sent = {
        "accept": "*/*",
        "user-agent": "webhook-service",
        **{name: value for name, value in given.items() if name not in FRAMING},
        "accept-encoding": "identity",
        "host": url.netloc.decode("ascii"),
    }
    return [(name.encode("ascii"), value.encode("utf-8")) for name, value in sent.items()]


def _read(response: httpcore.Response, limit: int, host: str, cut: bool) -> OutboundReply:
    body = bytearray()
    for part in response.iter_stream():
        body += part
        if len(body) > limit and not cut:
            raise OutboundError(f"The reply of {host} is larger than {limit} bytes.")
        if len(body) > limit:
            break
    headers: dict[str, str] = {}
    for raw_name, raw_value in response.headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return OutboundReply(response.status, headers, bytes(body[:limit]), host)


def _redirects(reply: OutboundReply) -> bool:
    return reply.status in (301, 302, 303, 307, 308) and "location" in reply.headers


def _follow(url: httpx.URL, location: str) -> httpx.URL:
    try:
        target = url.join(location)
    except (httpx.InvalidURL, ValueError):
        raise OutboundError(f"{url.host} redirects to what is no URL.") from None
    if (target.scheme, target.netloc, target.userinfo) != (url.scheme, url.netloc, b""):
        raise OutboundError(f"{url.host} redirects to another server, which is not followed.")
    return target


def _proxy(url: str) -> httpcore.Proxy:
    proxy = httpx.Proxy(url)
    target = httpcore.URL(
        scheme=proxy.url.raw_scheme, host=proxy.url.raw_host, port=proxy.url.port, target=b"/"
    )
    return httpcore.Proxy(target, auth=proxy.raw_auth)


@contextmanager
def _told(host: str) -> Iterator[None]:
    """Every way in which a call can fail, in words of ours: theirs may quote a header."""
    try:
        yield
    except httpcore.TimeoutException as exc:
        raise OutboundError(f"{host} did not answer in time.", transient=True) from exc
    except httpcore.LocalProtocolError:
        raise OutboundError(f"The call to {host} has a header that cannot be sent.") from None
    except socket.gaierror as exc:
        passing = exc.errno not in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None))
        raise OutboundError(f"The name {host} cannot be looked up.", transient=passing) from exc
    except httpcore.ConnectError as exc:
        if isinstance(exc.__context__, ssl.SSLCertVerificationError):
            raise OutboundError(f"{host} has a certificate that is not trusted.") from exc
        if isinstance(exc.__context__, ssl.SSLError):
            raise OutboundError(f"{host} does not speak TLS as it should.", transient=True) from exc
        raise OutboundError(f"{host} cannot be reached.", transient=True) from exc
    except (httpcore.NetworkError, httpcore.ProxyError, httpcore.RemoteProtocolError) as exc:
        raise OutboundError(f"{host} broke the connection off.", transient=True) from exc
    except UnicodeError:
        raise OutboundError(f"The call to {host} has a header that cannot be sent.") from None
