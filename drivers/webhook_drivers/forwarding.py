"""Passing one call on to one Service: what is sent, where to, and what the answer means.

v1.6 sent the platform's credentials and every header of the caller along. Here the Service gets
the body, the query without the receiver's key, and headers that say what the body is, or that the
receiver's owner names.
"""

from __future__ import annotations

import base64
import hmac
import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Protocol
from urllib.parse import urlencode

from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.faults import failure
from webhook_drivers.kubernetes.api.resources import SERVICES, Address, Json
from webhook_drivers.text import MAX_BYTES, head
from webhook_service import Done, DriverError, Request, Retry

PASSED = frozenset({"accept", "content-type", "traceparent", "tracestate"})
# What senders name and sign an event with.
EVENT_HEADERS = (
    *("x-github-event", "x-github-delivery", "x-hub-signature", "x-hub-signature-256"),
    *("x-gitlab-event", "x-gitlab-event-uuid", "x-gitlab-token"),
    *("x-gitea-event", "x-gitea-delivery", "x-gitea-signature"),
    *("x-gogs-event", "x-gogs-delivery", "x-gogs-signature"),
    *("x-event-key", "x-request-uuid"),
)
SECRET = frozenset({"key", "projectId", "token"})
PASSING = frozenset({408, 425, 429})
MAX_RETRY_AFTER = 3600.0

Network = IPv4Network | IPv6Network


class Answer(Protocol):
    """What both ways give back."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def body(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class ServicePort:
    """A port of a Service, by number or name. As text: ``http://shop.default:80``."""

    namespace: str
    service: str
    port: str

    @property
    def address(self) -> Address:
        return Address(SERVICES, self.namespace, self.service)

    def __str__(self) -> str:
        return f"http://{self.service}.{self.namespace}:{self.port}"


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent: ``path`` has the query; ``timeout`` in seconds."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    timeout: float


def letter(
    path: str, event: Request, execution: str, timeout: float, named: Collection[str] = ()
) -> Letter:
    """The letter for a call. ``webhook-id`` is the same each time that it is sent.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

    Args:
        named: headers that the receiver's owner wants to be passed on.
    """
    passed = PASSED | {name.lower() for name in named}
    query = {name: value for name, value in event.query.items() if name not in SECRET}
    headers = {name: value for name, value in event.headers.items() if name in passed}
    headers["webhook-id"] = execution
    whole = f"/{path.lstrip('/')}" + (f"?{urlencode(query)}" if query else "")
    return Letter(whole, headers, event.body, timeout)


def signed(sent: Letter, secret: str, now: float) -> Letter:
    """The letter with the headers that prove that it comes from us, by Standard Webhooks (v1).

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

    Args:
        secret: ``whsec_`` and the key in base64.
        now: seconds since 1970 UTC.
    """
    time = str(int(now))
    content = b".".join((sent.headers["webhook-id"].encode(), time.encode(), sent.body))
    mac = hmac.digest(signing_key(secret), content, "sha256")
    signature = f"v1,{base64.b64encode(mac).decode()}"
    proof = {"webhook-timestamp": time, "webhook-signature": signature}
    return replace(sent, headers={**sent.headers, **proof})


def signing_key(secret: str) -> bytes:
    """The key in a secret of Standard Webhooks.

    Raises:
        ValueError: it has no such form; the message does not repeat it.
    """
    prefix, _, text = secret.rpartition("_")
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if prefix != "whsec" or not 24 <= len(key) <= 64:
        raise ValueError("must be whsec_ and 24 to 64 bytes in base64")
    return key


def send_proxied(cluster: Cluster, target: ServicePort, sent: Letter) -> Answer:
    """Send through the API server, which passes none of our credentials on."""
    try:
        reply = cluster.through_service(
            target.namespace,
            f"{target.service}:{target.port}",
            sent.path,
            method="POST",
            body=sent.body,
            headers=sent.headers,
            keep=MAX_BYTES,
            timeout=sent.timeout,
        )
    except Retry as error:
        text = f"{target} did not answer through the API server: {error.message}"
        raise Retry(text, code=error.reason, after=error.after) from error
    if not reply.ok and b'"kind":"Status"' in reply.body.replace(b" ", b""):
        raise failure("post to", target.address, reply.status, reply.headers, reply.body)
    return reply


def send_direct(
    service: Json, target: ServicePort, sent: Letter, allowed: Collection[Network]
) -> Answer:
    """Send to the Service's own address, and to no other.

    Args:
        service: the live object.
        allowed: networks that may be called although no Service belongs there.
    """
    # The HTTP client takes some of a host's start and memory: loaded where it is used.
    from webhook_service import Outbound, OutboundError

    host = cluster_address(service, target, allowed)
    outbound = Outbound(
        timeout=sent.timeout,
        max_bytes=MAX_BYTES,
        allow_private=[ip_network(host)],
        resolve=lambda *_: [str(host)],
        tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    )
    url = f"http://{target.service}.{target.namespace}.svc:{port_number(service, target)}"
    try:
        return outbound.request("POST", url + sent.path, sent.headers, sent.body, cut=True)
    except OutboundError as error:
        if error.transient:
            raise Retry(error.message, code="unreachable") from error
        raise DriverError(error.message, code="unreachable") from error
    finally:
        outbound.close()


def port_number(service: Json, target: ServicePort) -> int:
    """The number of the target's port.

    Raises:
        DriverError: the Service has no such port.
    """
    ports = (service.get("spec") or {}).get("ports") or ()
    for item in ports:
        if target.port in (str(item.get("port")), item.get("name")):
            return int(item["port"])
    known = ", ".join(str(item.get("port")) for item in ports) or "none"
    raise DriverError(
        f"{target.address} has no port {target.port} (it has {known}): correct `port`.",
        code="port_not_found",
    )


def cluster_address(
    service: Json, target: ServicePort, allowed: Collection[Network]
) -> IPv4Address | IPv6Address:
    """The address that the cluster gave to the Service.

    Raises:
        DriverError: it has none, or one that leads to a node or its metadata service.
    """
    spec = service.get("spec") or {}
    inside = spec.get("type") != "ExternalName"
    try:
        found = ip_address(str(spec.get("clusterIP") if inside else None))
    except ValueError:
        raise DriverError(
            f"{target.address} has no address of its own (type "
            f"{spec.get('type', 'ClusterIP')}): name one that has, or use `via` proxy.",
            code="no_address",
        ) from None
    special = found.is_loopback or found.is_link_local or found.is_multicast
    if (special or found.is_unspecified) and not any(found in network for network in allowed):
        raise DriverError(f"{target.address} has an address that is not called.", code="no_address")
    return found


def judged(target: ServicePort, answer: Answer) -> Done:
    """What an answer means.

    Raises:
        Retry: 408, 425, 429 and 5xx.
        DriverError: any other but 2xx.
    """
    said = head(answer.body)
    text = f"{target} answered {answer.status}{f': {said}' if said else '.'}"
    if 200 <= answer.status < 300:
        return Done(message=text)
    if answer.status in PASSING or answer.status >= 500:
        raise Retry(text, after=_retry_after(answer.headers))
    if 300 <= answer.status < 400:
        text = f"{target} answered {answer.status}, a redirect, which is not followed."
    raise DriverError(text, code=f"status_{answer.status}")


def _retry_after(headers: Mapping[str, str]) -> float:
    text = headers.get("retry-after", "").strip()
    return min(float(text), MAX_RETRY_AFTER) if text.isascii() and text.isdigit() else 0.0
